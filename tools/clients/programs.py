"""The load programs that an experiment can name as `client`. Must not know how a run of one is measured."""

from tools.clients import ghz, h2load, k6
from tools.clients.program import LoadProgram

WITH_GO = "install Go 1.26 or later, and run `make testers`"

PROGRAMS = {
    program.name: program
    for program in (
        LoadProgram("h2load", "install the Debian package nghttp2-client", h2load.command, h2load.read),
        LoadProgram("ghz", WITH_GO, ghz.command, ghz.read),
        LoadProgram("k6", WITH_GO, k6.command, k6.read),
    )
}
"""Name -> program."""
