"""h2load, of nghttp2. Written for version 1.52.

- Its exit status is 0 also if all calls fail, or if no server listens.
- It reads only the status of HTTP, which is 200 also if a gRPC call fails. The reply to such a call has no body.
- `--log-file` has a line for each call: start in microseconds since 1970, HTTP status, latency in microseconds. A call
  that is open at the end is not in it.
"""

import re
from collections.abc import Sequence

from tools.clients.program import CallLog, ProgramRun
from tools.clients.request import PATH
from tools.local import LocalError

LOG = "calls"
BODY = "body"
HTTP_OK = 200


def command(run: ProgramRun) -> list[str]:
    """The command line."""
    body = run.folder / BODY
    body.write_bytes(run.request.frame)
    headers = ("content-type: application/grpc", "te: trailers", f"grpc-timeout: {round(run.timeout_s * 1000)}m")
    return [
        run.path,
        f"--clients={run.connections}",
        f"--max-concurrent-streams={run.streams}",
        f"--duration={round(run.duration_s * 1000)}ms",
        f"--data={body}",
        f"--log-file={run.folder / LOG}",
        *(f"--header={header}" for header in headers),
        f"http://{run.address}{PATH}",
    ]


def read(run: ProgramRun, lines: Sequence[str]) -> CallLog:
    """The calls in its log. Raises LocalError if output or log has another form, or a status of HTTP is an error."""
    text = "\n".join(lines)
    requests = re.search(r"(\d+) done, \d+ succeeded, (\d+) failed, \d+ errored, (\d+) timeout", text)
    statuses = re.search(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    body = re.search(r"traffic: .* \((\d+)\) data", text)
    if requests is None or statuses is None or body is None:
        raise LocalError("h2load printed no report that can be parsed: install version 1.52")
    if any(map(int, statuses.groups())):
        raise LocalError(f"h2load received HTTP errors: {statuses[0]}")
    log = CallLog()
    try:
        with (run.folder / LOG).open(encoding="ascii") as calls:
            for call in calls:
                started_us, status, latency_us = map(int, call.split("\t"))
                if status == HTTP_OK:
                    log.ended_ns.append((started_us + latency_us) * 1000)
                    log.latency_ns.append(latency_us * 1000)
    except (OSError, ValueError) as error:
        raise LocalError("h2load wrote a log that cannot be parsed: install version 1.52") from error
    done, failed, timed_out = map(int, requests.groups())
    if failed or timed_out:
        log.failed["UNAVAILABLE"] = failed + timed_out
    log.reply_bytes = int(body[1]) / done if done else None
    return log
