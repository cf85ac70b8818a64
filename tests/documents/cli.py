"""docs/cli.md: every command and every flag, from the parsers."""

import argparse
from collections.abc import Iterator

from services.__main__ import NOT_OF_BACKEND
from services.models import MODELS
from services.runtime.model import OF_OWN_WIRE
from services.runtime.options import flag_of
from tests.documents import parsers, service_options
from tests.documents.tables import WRITTEN, fenced, listed, paragraph, sentence, table

INTRODUCTION = f"""\
# Commands

{WRITTEN}
`make setup` installs the `sweetspot` command into `.venv/bin`. `source .venv/bin/activate` adds that folder to the
path. Each command prints the same reference with `--help`. [Experiments](experiments.md) explains the exit statuses.

"""

SERVICES = """
## python -m services

Starts one service of a model, until it receives SIGTERM. [By hand](by-hand.md) shows how to use it.

"""

SERVICES_USAGE = """\
python -m services MODEL [OPTION ...] [--check]
python -m services backend [OPTION ...] [--check]
python -m services --help
python -m services MODEL --help
python -m services --list"""

SERVICES_NOTES = """
`MODEL` is the name of a [model](models.md), with underscores or hyphens. `--check` reads the options and imports the
model, prints the interpreter and its packages as one line of JSON, and ends. `--help` alone prints a line for each
model, and with a model the options of that model. `--list` prints the models for programs.
Each option is also a variable: `SWEETSPOT_PORT` is `--port`. A flag wins over its variable. The variable of a flag
without a value is `true` or `false`. An option that has an effect only with some values of another option is rejected
without them.

### Options of every service

"""

SOME_MODELS = """
### Options of some models

"""

GRPCIO = [model.name for model in MODELS.values() if not model.own_wire]
EXCEPTIONS = f"\n{listed(GRPCIO)} do not have {listed(map(flag_of, OF_OWN_WIRE))}.\n"

BACKEND = f"""
## python -m services backend

Starts the downstream service, which `call` steps of a plan ask. It has the [options of every
service](#options-of-every-service), without {listed(map(flag_of, NOT_OF_BACKEND))}.
"""

ABOUT = {
    "python -m services.driver": "Loads services with calls of one plan, and writes the result to a file. "
    "[By hand](by-hand.md) shows how to use it.",
    "python -m services.driver.merge": "Joins the results of drivers that were shards of one load.",
    "python -m services.driver.order": "Makes calls on one connection, and prints as JSON in which order they ended.",
    "python -m tools.deploy": "Does what `make images`, `make deploy`, `make undeploy` and `make cluster` do. Its "
    'flags are those of `make deploy ARGS="..."`. [Cluster](cluster.md) explains them.',
    "python -m tools.bench": "Does what `make bench` does. [Performance](performance.md) has its results.",
}


def page() -> str:
    """The whole page."""
    return "".join(_parts())


def _parts() -> Iterator[str]:
    commands = list(parsers.leaves(parsers.sweetspot()))
    yield INTRODUCTION
    rows = [(f"[`{parser.prog}`](#{_anchor(parser.prog)})", sentence(about)) for parser, about in commands]
    yield table(("command", "what it does"), *rows)
    for parser, about in commands:
        yield from _section(parser, sentence(about))
    yield from (SERVICES, fenced(SERVICES_USAGE), SERVICES_NOTES, service_options.of_every_service())
    yield from (EXCEPTIONS, SOME_MODELS, service_options.of_some_models(), BACKEND)
    for name, parser in parsers.programs().items():
        yield from _section(parser, ABOUT[name])


def _section(parser: argparse.ArgumentParser, about: str) -> Iterator[str]:
    yield f"\n## {parser.prog}\n\n{paragraph(about)}\n{fenced(parsers.usage(parser))}\n{parsers.tables(parser)}"


def _anchor(prog: str) -> str:
    return prog.replace(" ", "-")
