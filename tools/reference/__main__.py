"""Starts a reference server, prints where it listens, and serves its counters as a model's control port does.

The server is a child of this process, which only waits. Must not know who loads it.
"""

import signal
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc
from sweetspot.v1.control_pb2 import SnapshotReply, SnapshotRequest

from tools.local import START_TIMEOUT_S, LocalError, Process, started
from tools.parser import Parser
from tools.reference.counters import snapshot
from tools.reference.servers import SERVERS
from tools.scratch import scratch_folder
from tools.status import REFUSED

HOST = "127.0.0.1"
LOOK_S = 0.01


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM. Returns the exit status."""
    parser = Parser(prog="python -m tools.reference", description="Runs a reference server.", allow_abbrev=False)
    parser.add_argument("server", choices=sorted(SERVERS))
    parser.add_argument("--reply-bytes", type=int, required=True, metavar="BYTES", help="size of each reply")
    args = parser.parse_args(arguments)
    server, port = SERVERS[args.server], _free_port()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (
            scratch_folder() as folder,
            started(server.name, server.command(server.program_path(), port, folder, args.reply_bytes)) as process,
        ):
            _await(process, port)
            control = _control(server.name, process.pid)
            print(f"listening on {HOST}:{port}\ncontrol on {HOST}:{control}", flush=True)
            process.finish(float("inf"))
    except LocalError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return 0
    return 0


def _free_port() -> int:
    with closing(socket.create_server((HOST, 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def _await(process: Process, port: int) -> None:
    """Waits until the program listens: it prints no line for that. Raises LocalError."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.has_ended(LOOK_S):
            raise LocalError(process.last_words())
        try:
            socket.create_connection((HOST, port)).close()
        except ConnectionRefusedError:
            continue
        return
    raise LocalError(f"{process.name} does not listen")


def _control(name: str, pid: int) -> int:
    """Serves the counters of that process. Returns the port."""

    def reply(_request: SnapshotRequest, _context: grpc.ServicerContext) -> SnapshotReply:
        return snapshot(name, pid)

    handler = grpc.unary_unary_rpc_method_handler(reply, SnapshotRequest.FromString, SnapshotReply.SerializeToString)
    control = grpc.server(ThreadPoolExecutor(1))
    control.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("sweetspot.v1.Control", {"Snapshot": handler})]
    )
    port: int = control.add_insecure_port(f"{HOST}:0")
    control.start()
    _SERVED.append(control)
    return port


_SERVED: list[grpc.Server] = []
"""A server of grpcio stops when its object is collected."""

if __name__ == "__main__":
    sys.exit(main())
