"""What a load program reported, in the form of the driver's result (services/driver/result.schema.json).

A load program does not count clients. It also does not report which pod answered, checksums, traces or calls in flight.
So these fields are absent, null or empty. Must not know which program it was.
"""

from datetime import UTC, datetime
from typing import Any

from tools.clients.program import CallLog
from tools.histogram import distribution

TENTHS = 10


def measured(
    log: CallLog,
    *,
    connections: int,
    warmup_s: float,
    duration_s: float,
    to_monotonic_ns: int,
    cpu_ns: tuple[int, int],
) -> dict[str, Any]:
    """The result of one slice, whose first call began the warm-up.

    `to_monotonic_ns` is the monotonic clock less the wall clock. `cpu_ns` is the CPU time of the program: user and
    system. In a closed loop no call is sent late, so the latency is the service time.
    """
    starts_ns = (end_ns - latency_ns for end_ns, latency_ns in zip(log.ended_ns, log.latency_ns, strict=True))
    begin_ns = min(starts_ns, default=0)
    started_ns = begin_ns + round(warmup_s * 1e9)
    ended_ns = started_ns + round(duration_s * 1e9)
    # As the driver does: a call that was open at any time while measuring is planned.
    planned = [
        (end_ns, latency_ns)
        for end_ns, latency_ns in zip(log.ended_ns, log.latency_ns, strict=True)
        if end_ns > started_ns
    ]
    tenths = [0] * TENTHS
    for end_ns, _ in planned:
        if end_ns <= ended_ns:
            tenths[min((end_ns - started_ns) * TENTHS // (ended_ns - started_ns), TENTHS - 1)] += 1
    failed = log.failed.total()
    latencies = distribution([latency_ns for _, latency_ns in planned])
    punctual = distribution([0] * len(planned))
    marks = {"started_monotonic_ns": started_ns + to_monotonic_ns, "ended_monotonic_ns": ended_ns + to_monotonic_ns}
    got = {
        "answered": sum(tenths),
        "counted": len(log.ended_ns),
        "within_deadline": None,
        "answered_by_tenth": tenths,
    }
    calls = {"ok": len(planned), "timed_out": 0, "not_sent": 0, "unfinished": 0, "planned": len(planned) + failed}
    one = {
        "begin_monotonic_ns": begin_ns + to_monotonic_ns,
        **marks,
        "drained_monotonic_ns": max(log.ended_ns, default=0) + to_monotonic_ns,
        **got,
        **calls,
        "failed": failed,
        "cpu_ns": sum(cpu_ns),
        "latency_ns": latencies,
        "lateness_ns": punctual,
        "stream": None,
        "kinds": {},
    }
    return {
        "started_at": f"{datetime.fromtimestamp(begin_ns / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "got": {
            **got,
            "start_spread_ns": 0,
            "connections": connections,
            "duration_s": (ended_ns - started_ns) / 1e9,
            "rate_rps": sum(tenths) * 1e9 / (ended_ns - started_ns),
        },
        "calls": {**calls, "by_status": dict(log.failed), "first_messages": log.first_messages},
        "latency_ns": latencies,
        "service_time_ns": latencies,
        "lateness_ns": punctual,
        "driver": {"cpu_user_ns": cpu_ns[0], "cpu_system_ns": cpu_ns[1]},
        "marks": marks,
        "traces": [],
        "checksums": {},
        "pods": [],
        "spans": None,
        "shards": [{"cpu_ns": sum(cpu_ns)}],
        "slices": [one],
    }
