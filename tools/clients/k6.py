"""k6, whose loads are written in JavaScript. Written for version 1.4.

- A virtual user is one connection. With `asyncInvoke` it has several calls open at a time.
- Its CSV has a line for each call: its end, its latency in milliseconds, and gRPC's status as a number.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import grpc

from tools.clients.program import CallLog, ProgramRun
from tools.clients.request import METHOD, PROTOS
from tools.local import LocalError

SCRIPT = Path(__file__).with_name("k6.js")
CALLS = "calls.csv"
LATENCY = "grpc_req_duration"
_STATUS = {str(code.value[0]): code.name for code in grpc.StatusCode}


def command(run: ProgramRun) -> list[str]:
    """The command line."""
    described = run.folder / "run.json"
    described.write_text(
        json.dumps(
            {
                "address": run.address,
                "method": METHOD,
                "message": run.request.json,
                "protos": str(PROTOS),
                "connections": run.connections,
                "streams": run.streams,
                "duration_ms": round(run.duration_s * 1000),
                "timeout_ms": round(run.timeout_s * 1000),
            }
        ),
        encoding="utf-8",
    )
    return [
        run.path,
        "run",
        "--quiet",
        "--no-color",
        "--no-usage-report",
        "--no-summary",
        "--address=127.0.0.1:0",
        f"--env=RUN={described}",
        "--env=K6_CSV_TIME_FORMAT=unix_nano",
        f"--out=csv={run.folder / CALLS}",
        str(SCRIPT),
    ]


def read(run: ProgramRun, _lines: Sequence[str]) -> CallLog:
    """The calls in its report. Raises LocalError if it wrote no report that can be parsed."""
    log = CallLog()
    try:
        with (run.folder / CALLS).open(encoding="utf-8", newline="") as file:
            calls = csv.DictReader(file)
            if not {"metric_name", "timestamp", "metric_value", "status"} <= set(calls.fieldnames or ()):
                raise ValueError("another table")
            for call in calls:
                if call["metric_name"] != LATENCY:
                    continue
                if call["status"] == "0":
                    log.ended_ns.append(int(call["timestamp"]))
                    log.latency_ns.append(round(float(call["metric_value"]) * 1e6))
                else:
                    log.failed[_STATUS[call["status"]]] += 1
    except (OSError, ValueError, KeyError) as error:
        raise LocalError("k6 wrote no report that can be parsed: install version 1.4") from error
    return log
