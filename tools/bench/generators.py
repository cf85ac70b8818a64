"""Programs that generate the load: h2load, and the project's own driver.

Both print a line when measuring begins and one when it ends. CPU time is read at these marks.

Some facts about h2load (nghttp2 1.52):

- With --duration, its `req/s` is over the main duration alone, as are `requests`, `status codes` and `total` bytes;
  `finished in` includes the warm-up, and so do `headers` and `data` bytes.
- It prints the beginning and the end of the main duration as lines, flushed, even into a pipe.
- It ends with status 0 whatever happened, also when nothing listened. It sees HTTP statuses only: a gRPC error is 200.

Must not know what is compared with what.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench import servers
from tools.bench.goals import DRIVER, H2LOAD, ClosedLoop, Measurement, Subject
from tools.bench.servers import Server
from tools.local import LocalError, Process, started
from tools.processors import tree_ns

GRACE_S = 20.0
"""Time for a generator to start, and to end after measuring."""

_MARKS = {
    H2LOAD: ("Main benchmark duration is started", "Main benchmark duration is over"),
    DRIVER: ("measuring", "measured"),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a generator sends calls."""

    warmup_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class CpuUse:
    """What was used between the marks."""

    elapsed_s: float
    server_cpu_ns: int
    generator_cpu_ns: int


def measure(number: int, subject: Subject, server: Server, timing: Timing, scratch: Path) -> Measurement:
    """Lets the subject's generator load the server, on the processors of the caller. Raises LocalError."""
    generate = {H2LOAD: by_h2load, DRIVER: by_driver}[subject.generator]
    calls, span = generate(subject.load, server, timing, scratch)
    return Measurement(number, subject, calls, span.elapsed_s, span.server_cpu_ns, span.generator_cpu_ns)


def by_h2load(load: ClosedLoop, server: Server, timing: Timing, scratch: Path) -> tuple[int, CpuUse]:
    """Calls answered with the whole payload, and what was used between the marks. Raises LocalError."""
    body = scratch / "body"
    body.write_bytes(servers.FRAME)
    headers = [f"--header={header}" for header in ("content-type: application/grpc", "te: trailers")]
    command = [servers.h2load(), f"--clients={load.connections}", f"--max-concurrent-streams={load.streams}"]
    command += [f"--warm-up-time={round(timing.warmup_s * 1000)}ms", f"--duration={round(timing.duration_s * 1000)}ms"]
    command += [f"--data={body}", *headers, f"http://{server.address}{servers.PATH}"]
    with started(H2LOAD, command) as process:
        span = _between_marks(process, server, timing)
        return succeeded(process.finish(GRACE_S), len(servers.FRAME)), span


def by_driver(
    load: ClosedLoop, server: Server, timing: Timing, scratch: Path, interpreter: Sequence[str] = (sys.executable,)
) -> tuple[int, CpuUse]:
    """As `by_h2load`."""
    echo = {"payload_bytes": len(servers.REQUEST.payload)}
    flags = (f"--connections={load.connections}", f"--streams={load.streams}")
    result, span = drive(flags, echo, server, timing, scratch, interpreter=interpreter)
    calls = result["calls"]
    if calls["by_status"] or calls["timed_out"] or not calls["ok"]:
        raise LocalError(f"{DRIVER}: {calls['ok']} calls OK, {calls['timed_out']} timed out, {calls['by_status']}")
    return result["got"]["answered"], span


def drive(
    load: Sequence[str],
    plan: Mapping[str, Any],
    server: Server,
    timing: Timing,
    scratch: Path,
    *,
    interpreter: Sequence[str] = (sys.executable,),
    look: Callable[[], None] | None = None,
) -> tuple[dict[str, Any], CpuUse]:
    """The driver's result of a plan, and what was used between the marks. Raises LocalError.

    `load` has the driver's flags for the load. `look` is called in the middle and at the end of the measurement. With
    `look`, the driver is stopped at the end and does not wait for open calls. There may be many if more calls are
    offered than served.
    """
    asked, out = scratch / "plan.json", scratch / "result.json"
    asked.write_text(json.dumps(plan), encoding="utf-8")
    command = [*interpreter, "-m", "services.driver", f"--address={server.address}", *load, f"--plan={asked}"]
    command += [f"--warmup={timing.warmup_s}", f"--duration={timing.duration_s}", f"--out={out}"]
    with started(DRIVER, command) as process:
        span = _between_marks(process, server, timing, look)
        if look is None:
            process.finish(GRACE_S)
        else:
            process.stop()
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return result, span


def succeeded(lines: Sequence[str], least_bytes: int) -> int:
    """The number of successful calls in the last lines of h2load.

    Raises LocalError if a call failed, if none was made, or if the mean size of replies is below `least_bytes`. A gRPC
    error has no body, so the size detects rejected calls. Their HTTP status is a success.
    """
    text = "\n".join(lines)
    requests = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    statuses = re.search(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    traffic = re.search(r"traffic: \S+ \((\d+)\) total", text)
    if requests is None or statuses is None or traffic is None:
        raise LocalError(f"{H2LOAD} printed no output that can be parsed")
    calls, *bad = map(int, requests.groups())
    # h2load counts a status 2xx when the reply begins. That number may differ from the answered calls; it is not read.
    if calls == 0 or any(bad) or any(map(int, statuses.groups())):
        raise LocalError(f"{H2LOAD}: {requests[0]}; {statuses[0]}")
    if int(traffic[1]) < calls * least_bytes:
        raise LocalError(f"{H2LOAD}: {int(traffic[1]) / calls:.0f} bytes per call: the payload was not returned")
    return calls


def _between_marks(
    generator: Process, server: Server, timing: Timing, look: Callable[[], None] | None = None
) -> CpuUse:
    begin, end = _MARKS[generator.name]
    generator.expect(begin, timing.warmup_s + GRACE_S)
    before = (time.monotonic_ns(), tree_ns(server.process.pid), tree_ns(generator.pid))
    if look is not None:
        time.sleep(timing.duration_s / 2)
        look()
    generator.expect(end, timing.duration_s + GRACE_S)
    if server.process.has_ended():
        raise LocalError(f"{server.process.name} exited during the measurement")
    after = (time.monotonic_ns(), tree_ns(server.process.pid), tree_ns(generator.pid))
    if look is not None:
        look()
    elapsed_ns, server_ns, generator_ns = (late - early for early, late in zip(before, after, strict=True))
    return CpuUse(elapsed_ns / 1e9, server_ns, generator_ns)
