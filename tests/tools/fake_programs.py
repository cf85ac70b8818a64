"""Services and a driver that do no work, so that tests of the programs that start them are fast and have every failure.

`python -m tests.tools.fake_programs ROLE ...`: `services MODEL ...`, `driver ...` and `slices` print the lines of the
real ones and serve their Control. `sweetspot ...` is the command with those in the place of the real ones, on a quiet
machine. A model's name decides what fails; for the driver it is the number of connections. Each role imports only what
it needs, to start fast.
"""

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from sweetspot.v1.control_pb2 import SnapshotReply, SnapshotRequest

from tools.local import Programs

_SELF = (sys.executable, "-m", "tests.tools.fake_programs")
PROGRAMS = Programs(services=(*_SELF, "services"), driver=(*_SELF, "driver"), slices=(*_SELF, "slices"))

GOOD, STILLBORN, MORTAL, STUBBORN = MODELS = ("good", "stillborn", "mortal", "stubborn")
"""The second dies before it listens, the third while it is measured; the last ignores SIGTERM."""

REFUSED, ENDLESS, UNANSWERED, GIVEN_UP = 13, 1000, 7, 17
"""Connections with which the driver gives up at once, never ends, gets no answer at all, and gives up later."""


def service(model: str) -> None:
    """Until SIGTERM."""
    if model == STILLBORN:
        sys.exit("a warning\nstillborn: Address already in use")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if model == STUBBORN else signal.SIG_DFL)

    def die(*_: object) -> None:
        # At once: an interpreter that winds down lets grpcio's threads have the last word on stderr.
        print("mortal: out of memory", file=sys.stderr, flush=True)
        os._exit(1)

    signal.signal(signal.SIGUSR1, die)

    def snapshot(_request: SnapshotRequest, _context: grpc.ServicerContext) -> SnapshotReply:
        return SnapshotReply(model=model, processes=os.getpid())

    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(snapshot, SnapshotRequest.FromString, SnapshotReply.SerializeToString)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("sweetspot.v1.Control", {"Snapshot": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on {model}.{os.getpid()}:1\ncontrol on 127.0.0.1:{port}", flush=True)
    while True:
        signal.pause()


def driver(flags: dict[str, str]) -> None:
    """Measures nothing, and ends at once. Its result is made up, except for the flags that it was given."""
    if int(flags["--connections"]) == REFUSED:
        sys.exit("services.driver: good.1:1: Connection refused")
    print("measuring", flush=True)
    load(flags)
    print("measured\nanswered", flush=True)
    Path(flags["--out"]).write_text(json.dumps(result_of(flags)), encoding="utf-8")


def slices() -> None:
    """The same, as often as commands on stdin ask."""
    opened: dict[str, dict[str, str]] = {}
    for line in sys.stdin:
        command = json.loads(line)
        name = command["name"]
        answer: dict[str, object] = {}
        if command["do"] == "check":
            answer = {"checked": name}
        elif command["do"] == "open":
            arguments = command["arguments"]
            opened[name] = dict(zip(arguments[::2], arguments[1::2], strict=True))
            answer = {"opened": name, "connections": int(opened[name]["--connections"])}
            if int(opened[name]["--connections"]) == REFUSED:
                answer = {"refused": name, "why": "good.1:1: Connection refused"}
        elif command["do"] == "slice":
            load(opened[name])
            answer = {"sliced": name, "slice": {"answered": 100}}
        else:
            result = result_of(opened.pop(name))
            answer = {"closed": name, "result": result}
        print(json.dumps(answer), flush=True)


def load(flags: dict[str, str]) -> None:
    """What a load does to the service, and to the driver."""
    connections = int(flags["--connections"])
    if connections == GIVEN_UP:
        sys.exit("services.driver: no result")
    if connections == ENDLESS:
        signal.pause()
    model, pid = flags["--address"].removesuffix(":1").split(".")
    if model == MORTAL:
        os.kill(int(pid), signal.SIGUSR1)
        signal.pause()


def result_of(flags: dict[str, str]) -> dict[str, object]:
    """Made up, except for the flags."""
    from tests.tools.sample import trial  # noqa: PLC0415

    connections = int(flags["--connections"])
    rate_rps = 0.0 if connections == UNANSWERED else 100.0
    got = {
        "start_spread_ns": 0,
        "connections": connections,
        "duration_s": 4.0,
        "answered": round(4 * rate_rps),
        "counted": round(4 * rate_rps),
        "rate_rps": rate_rps,
    }
    result: dict[str, object] = {**trial("reactor", connections, got=got).result, "flags": flags}
    if connections == UNANSWERED:
        result["calls"] = {
            **{"planned": connections, "ok": 0, "by_status": {}, "timed_out": 0, "not_sent": 0},
            **{"unfinished": connections, "first_messages": {"UNAVAILABLE": "backend is down"}},
        }
        result["latency_ns"] = {**trial("reactor", connections).result["latency_ns"], "count": 0}
    return result


def main(role: str, *arguments: str) -> int:
    """Plays that role."""
    if role == "sweetspot":
        from unittest.mock import patch  # noqa: PLC0415

        from tools import cli  # noqa: PLC0415

        patch("tools.other_processes.ran_ns", lambda _cpus: 0).start()
        patch("tools.canary.loop_ns", lambda _cpus: 1_000_000).start()
        return cli.main(arguments, PROGRAMS)
    if role == "slices":
        slices()
    elif role == "driver":
        driver(dict(zip(arguments[::2], arguments[1::2], strict=True)))
    elif arguments == ("--list",):
        print("\n".join(f"{model}\tpretends\t\t\tcooperative non-blocking" for model in MODELS))
    elif "--check" in arguments:
        print("{}")
    else:
        service(arguments[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
