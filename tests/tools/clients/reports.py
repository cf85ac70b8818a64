"""Reports of load programs as they were printed, cut to a few calls; and a run that could have made them."""

import json
from pathlib import Path

from tools.clients.program import ProgramRun
from tools.clients.request import encode

H2LOAD = """\
finished in 1.20s, 67940.00 req/s, 6.80MB/s
requests: {done} total, {done} started, {done} done, {done} succeeded, {failed} failed, 0 errored, 0 timeout
status codes: {done} 2xx, 0 3xx, {rejected} 4xx, 0 5xx
traffic: 6.80MB (7133824) total, 233.63KB (239240) headers (space savings 95.77%), 5.62MB ({body}) data
"""


def run_in(folder: Path) -> ProgramRun:
    return ProgramRun(
        path="/bin/program",
        address="127.0.0.1:9",
        request=encode({"payload_bytes": 32}),
        connections=10,
        streams=4,
        duration_s=1.5,
        timeout_s=10,
        folder=folder,
    )


def h2load(
    folder: Path, calls: str, *, done: int = 2, failed: int = 0, rejected: int = 0, body: int = 174
) -> list[str]:
    (folder / "calls").write_text(calls)
    return H2LOAD.format(done=done, failed=failed, rejected=rejected, body=body).splitlines()


def ghz(folder: Path, *calls: tuple[str, int, str]) -> None:
    details = [
        {"timestamp": timestamp, "latency": latency, "error": "" if status == "OK" else "no", "status": status}
        for timestamp, latency, status in calls
    ]
    (folder / "out.json").write_text(json.dumps({"details": details}))


def k6(folder: Path, *calls: str) -> None:
    head = "metric_name,timestamp,metric_value,check,error,status,extra_tags\n"
    (folder / "calls.csv").write_text(head + "".join(f"{call}\n" for call in calls))
