"""The reference servers that an arm can name as `server`. Must not know how one is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.clients.request import PATH
from tools.installed_programs import program_path


@dataclass(frozen=True, slots=True)
class ReferenceServer:
    """One row of the table."""

    name: str
    install: str
    """How a person installs it, as the end of a sentence."""
    command: Callable[[str, int, Path, int], list[str]]
    """Path of the program, port, an empty folder and the size of a reply in bytes -> the command line."""

    def program_path(self) -> str:
        """The program's path. Raises LocalError, which names how to install it."""
        return program_path(self.name, self.install)


def _nghttpd(path: str, port: int, folder: Path, reply_bytes: int) -> list[str]:
    """It serves one file, whatever the request has: the least work for a server of HTTP/2."""
    file = folder / PATH.removeprefix("/")
    file.parent.mkdir()
    file.write_bytes(bytes(reply_bytes))
    return [path, "--no-tls", "--address=127.0.0.1", f"--htdocs={folder}", str(port)]


SERVERS = {
    server.name: server
    for server in (ReferenceServer("nghttpd", "install the Debian package nghttp2-server", _nghttpd),)
}
"""Name -> server."""
