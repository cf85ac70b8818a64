"""ghz, a client on grpc-go. Written for version 0.120.

- The workers of `--concurrency` share the `--connections`. Each worker has one call open at a time.
- `details` in its JSON has each call: its end, its latency in nanoseconds, and gRPC's status, as `DeadlineExceeded`.
- If it can, it reads a file as a list of messages, each after its length. A message without a length before it may be
  read as several messages.
- `--duration-stop=wait`: calls that are open at the end are answered and counted.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tools.clients.program import CallLog, ProgramRun
from tools.clients.request import METHOD, PROTOS
from tools.local import LocalError

OUT = "out.json"
_BRITISH = {"CANCELED": "CANCELLED"}
"""grpc-go spells one status in another way."""


def command(run: ProgramRun) -> list[str]:
    """The command line."""
    message = run.folder / "message"
    message.write_bytes(counted(run.request.message))
    return [
        run.path,
        "--insecure",
        f"--proto={PROTOS / 'sweetspot/v1/workload.proto'}",
        f"--import-paths={PROTOS}",
        f"--call={METHOD}",
        f"--binary-file={message}",
        f"--connections={run.connections}",
        f"--concurrency={run.connections * run.streams}",
        f"--duration={round(run.duration_s * 1000)}ms",
        "--duration-stop=wait",
        f"--timeout={round(run.timeout_s * 1000)}ms",
        "--cpus=1",
        "--format=json",
        f"--output={run.folder / OUT}",
        run.address,
    ]


def counted(message: bytes) -> bytes:
    """The message with its length before it, as a varint (Protocol Buffers, Encoding, "Base 128 Varints")."""
    length, prefix = len(message), bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + message


def read(run: ProgramRun, _lines: Sequence[str]) -> CallLog:
    """The calls in its report. Raises LocalError if it wrote no report that can be parsed."""
    log = CallLog()
    try:
        for call in json.loads((run.folder / OUT).read_text(encoding="utf-8"))["details"] or ():
            if call["status"] == "OK":
                log.ended_ns.append(_ns(call["timestamp"]))
                log.latency_ns.append(call["latency"])
            else:
                log.failed[_status(call)] += 1
                log.first_messages.setdefault(_status(call), call["error"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalError("ghz wrote no report that can be parsed: install version 0.120") from error
    return log


def _ns(timestamp: str) -> int:
    """A time of RFC 3339, in nanoseconds. It may have nine decimals: `datetime` reads six. Raises ValueError."""
    found = re.fullmatch(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", timestamp)
    if found is None:
        raise ValueError(f"{timestamp!r} is not a time of RFC 3339")
    whole, fraction, zone = found.groups(default="0")
    return int(datetime.fromisoformat(whole + zone).timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0"))


def _status(call: dict[str, Any]) -> str:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", call["status"]).upper()
    return _BRITISH.get(name, name)
