"""Servers to measure. Each has one processor of its own, and must answer a call before it is measured.

Must not know who calls them, nor what is measured.
"""

import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from sweetspot.v1.workload_pb2 import RunReply, RunRequest

from tools.bench.goals import NGHTTPD
from tools.control import open_channel
from tools.local import DYING_S, START_TIMEOUT_S, LocalError, Process, running_on, started

PATH = "/sweetspot.v1.Workload/Run"
REQUEST = RunRequest(payload=bytes(range(32)))
"""An echo: the server parses it, runs an empty plan, and replies."""
_MESSAGE = REQUEST.SerializeToString()
FRAME = b"\0" + len(_MESSAGE).to_bytes(4, "big") + _MESSAGE
"""The request as a body: not compressed, length, message (gRPC's PROTOCOL-HTTP2, "Length-Prefixed-Message")."""
CHECK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens; addresses are HOST:PORT."""

    process: Process
    address: str
    control: str | None
    """None where it is no model."""


def find(program: str, package: str) -> str:
    """The program's path. Raises LocalError, which names the package of Debian that brings it."""
    # Debian puts servers where only root's PATH looks.
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        raise LocalError(f"{program} is not installed: install the Debian package {package}")
    return found


def h2load() -> str:
    """Raises LocalError."""
    return find("h2load", "nghttp2-client")


def nghttpd() -> str:
    """Raises LocalError."""
    return find(NGHTTPD, "nghttp2-server")


@contextmanager
def serving(
    name: str, cpu: int, scratch: Path, options: Sequence[str] = (), interpreter: Sequence[str] = (sys.executable,)
) -> Iterator[Server]:
    """A checked server until the block ends. Raises LocalError, with the last line of a server that has ended."""
    port = _free_port()
    is_model = name != NGHTTPD
    if is_model:
        command = [*interpreter, "-m", "services", name, "--port=0", *options]
    else:
        command = [nghttpd(), "--no-tls", "--address=127.0.0.1", f"--htdocs={_documents(scratch)}", str(port)]
    with ExitStack() as stack:
        # Inherited, so that even the first thread of a program that starts in a millisecond is where it belongs.
        with running_on([cpu]):
            process = stack.enter_context(started(name, command))
        try:
            if is_model:
                address = process.expect("listening on ", START_TIMEOUT_S)
                server = Server(process, address, process.expect("control on ", START_TIMEOUT_S))
                _check(server)
            else:
                server = Server(process, f"127.0.0.1:{port}", None)
                _await(process, port)
            yield server
        except LocalError as error:
            if process.has_ended(DYING_S):
                raise LocalError(process.last_words()) from error
            raise


@contextmanager
def backend() -> Iterator[str]:
    """The backend for as long as the block lasts, on the caller's processors; its HOST:PORT. Raises LocalError."""
    with started("backend", [sys.executable, "-m", "services", "backend", "--port=0"]) as process:
        yield process.expect("listening on ", START_TIMEOUT_S)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def _documents(scratch: Path) -> Path:
    """A folder with one file of a request's size, at the path of requests: the least work for an HTTP/2 server."""
    file = scratch / PATH.removeprefix("/")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(FRAME)
    return scratch


def _await(process: Process, port: int) -> None:
    """Waits until the program listens: it prints no line for that. Raises LocalError."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not process.has_ended() and time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise LocalError(f"{process.name} does not listen")


def _check(server: Server) -> None:
    """Makes one call with another implementation of gRPC: it reads the status, h2load does not. Raises LocalError."""
    with open_channel(server.address) as channel:
        run = channel.unary_unary(
            PATH, request_serializer=RunRequest.SerializeToString, response_deserializer=RunReply.FromString
        )
        try:
            reply = run(REQUEST, timeout=CHECK_TIMEOUT_S)
        except grpc.RpcError as error:
            raise LocalError(f"{server.process.name} answered {error.code().name}: {error.details()}") from error
    if (reply.model, reply.payload) != (server.process.name, REQUEST.payload):
        raise LocalError(f"{server.process.name} answered as {reply.model!r} with {len(reply.payload)} bytes")
