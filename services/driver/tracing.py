"""Traced calls: which ones, under which ids, and their CLIENT spans once measuring is over.

The ids are drawn before a call is sent, so that they can travel with it (W3C Trace Context, `traceparent`); the
span is made afterwards from the recorded times, so that making spans disturbs no measurement.
Must not know sockets or accounts.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from services.driver.options import Target
from services.telemetry import TraceContext, Tracing
from services.wire import Code

MAX_LISTED = 10_000
_SLOWEST_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A traced call that ended. Times on the monotonic clock."""

    trace: TraceContext
    target: Target
    intended_ns: int
    sent_ns: int
    ended_ns: int
    code: Code

    @property
    def latency_ns(self) -> int:
        """From the intended send to the end."""
        return self.ended_ns - self.intended_ns


class Sampler:
    """Draws which calls are traced, each with the same probability."""

    def __init__(self, ratio: float, seed: int) -> None:
        self._ratio = ratio
        self._chance = random.Random(seed).random

    def draw(self) -> TraceContext | None:
        """The ids for the next call, or None if it is not traced."""
        return TraceContext.root() if self._chance() < self._ratio else None


def record_spans(tracing: Tracing, method: str, calls: Iterable[TracedCall]) -> None:
    """Makes the CLIENT span of every traced call."""
    for call in calls:
        tracing.end_client_call(
            call.trace,
            method,
            intended_ns=call.intended_ns,
            sent_ns=call.sent_ns,
            ended_ns=call.ended_ns,
            code=call.code,
            server=(call.target.host, call.target.port),
        )


def listed(calls: Sequence[TracedCall]) -> list[dict[str, Any]]:
    """The result's form of the traced calls."""
    return not_too_many(
        [
            {"trace_id": f"{call.trace.trace_id:032x}", "latency_ns": call.latency_ns, "status": call.code.name}
            for call in calls
        ]
    )


def not_too_many(calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of a result's traced calls or, where they are too many, the slowest and an even sample of the others."""
    if len(calls) <= MAX_LISTED:
        return list(calls)
    by_latency = sorted(calls, key=lambda call: int(call["latency_ns"]))
    others, slowest = by_latency[:-_SLOWEST_LISTED], by_latency[-_SLOWEST_LISTED:]
    wanted = MAX_LISTED - _SLOWEST_LISTED
    return [*(others[index * len(others) // wanted] for index in range(wanted)), *slowest]
