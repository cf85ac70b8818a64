"""`python -m services.driver.order`: in which order the calls of one connection end. For what a rate cannot show.

Calls are sent one after the other, at most `--window` in flight, and numbered from 0 as they are sent. After each
`--every` that have ended it prints `ended N`, and waits for a line on stdin before it continues; not so at the last.
For each connection, of which `--times` follow one another, it prints one line of JSON:
{"order": [numbers as they ended], "codes": {"OK": 20}, "workers": {"worker-0": 20}}. A call that has not ended when the
service was silent for `--timeout` seconds is not in `order`.
Exit status: 0; 2 for what a person can correct, in one line on stderr.
Must not know what else happens to the service, nor what its answers are worth.
"""

import argparse
import json
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from sweetspot.v1.workload_pb2 import RunReply

from services.driver.plan import PlanError, read_plan
from services.driver.shard import Shard
from services.network.address import Address
from services.network.receive import RECEIVE_BYTES
from services.wire import CallEnded, ClientCall, ClientSession

PATH = "/sweetspot.v1.Workload/Run"


def main(arguments: Sequence[str]) -> int:
    """Makes the calls. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.driver.order", allow_abbrev=False)
    add = parser.add_argument
    add("--address", required=True, type=Address.parse, metavar="HOST:PORT", help="the service")
    add("--plan", required=True, type=Path, metavar="FILE", help="a RunRequest as YAML or JSON")
    add("--calls", required=True, type=_count, metavar="N", help="calls on each connection")
    add("--window", required=True, type=_count, metavar="N", help="maximum number of calls in flight")
    add("--times", type=_count, default=1, metavar="N", help="connections, one after the other (1)")
    add("--every", type=_count, metavar="N", help="print `ended` after every N calls, and wait (never)")
    add("--timeout", type=float, default=10.0, metavar="S", help="seconds to wait for the next reply (10)")
    args = parser.parse_args(arguments)
    try:
        request = next(read_plan(args.plan).requests(1, Shard(), 1)).serialized
        for _ in range(args.times):
            with socket.create_connection((args.address.host, args.address.port), args.timeout) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                print(json.dumps(_ended(_calls(sock, request, args))), flush=True)
    except (OSError, PlanError) as error:
        print(f"services.driver.order: {error}", file=sys.stderr)
        return 2
    return 0


def _count(text: str) -> int:
    """Raises ValueError."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def _calls(sock: socket.socket, request: bytes, args: argparse.Namespace) -> list[ClientCall]:
    """Those that ended, in that order."""
    session, started = ClientSession("localhost"), 0
    ended: list[ClientCall] = []
    while len(ended) < args.calls and not session.closed:
        while started < args.calls and started - len(ended) < args.window and session.can_start:
            session.start(PATH, request, context=started)
            started += 1
        while data := session.data_to_send():
            sock.sendall(data)
        try:
            events = session.receive_data(sock.recv(RECEIVE_BYTES))
        except TimeoutError:
            break
        for event in events:
            if isinstance(event, CallEnded):
                ended.append(event.call)
                if args.every and len(ended) % args.every == 0 and len(ended) < args.calls:
                    print(f"ended {len(ended)}", flush=True)
                    sys.stdin.readline()
    return ended


def _ended(calls: Sequence[ClientCall]) -> dict[str, Any]:
    codes = Counter(call.code.name for call in calls if call.code is not None)
    workers = Counter(map(_worker, calls))
    return {"order": [call.context for call in calls], "codes": codes, "workers": workers}


def _worker(call: ClientCall) -> str:
    """Who ran it; empty where the reply does not name one."""
    try:
        return RunReply.FromString(call.reply or b"").worker
    except DecodeError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
