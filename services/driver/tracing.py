"""Traced calls: which ones, under which ids, and their CLIENT spans once measuring is over.

The ids are drawn before a call is sent, so that they can travel with it (W3C Trace Context, `traceparent`). The span is
made later from the recorded times, so that this does not disturb the measurement.

Each call that may be measured has the same chance. In a closed loop that is every call: one that is sent in warm-up
may still be in flight when measuring begins, and such calls are the slow ones. Whether it was measured is known at its
end. So a traced call of the warm-up has a span too, with `sweetspot.measured` false, and is not listed.
It is not known ahead which call will be the slowest, so the slowest call may not be traced. Must not know sockets or
accounts.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from services.driver.options import Options
from services.network.address import Address
from services.telemetry import TraceContext, Tracing
from services.telemetry.labels import Labels, to_baggage
from services.wire import Code

MAX_LISTED = 10_000
_SLOWEST_LISTED = 100
"""1 % of those listed: they move the median of the list by half a percentile."""
UNFINISHED = "UNFINISHED"


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A traced call that was sent. Times on the monotonic clock."""

    trace: TraceContext
    address: Address
    intended_ns: int
    sent_ns: int
    ended_ns: int
    code: Code | None
    """None for a call that was unfinished when the run ended, which is then its end."""
    measured: bool
    """It is in the books."""
    kind: str = ""
    """Of the mix; empty where all calls are alike."""

    @property
    def latency_ns(self) -> int:
        """From the intended send to the end."""
        return self.ended_ns - self.intended_ns


class Sampler:
    """Draws which calls are traced, each with the same probability."""

    def __init__(self, ratio: float, seed: int, labels: Labels | None = None) -> None:
        """`labels` go with each traced call, and its spans have them."""
        self._ratio = ratio
        self._baggage = to_baggage(labels or {})
        # Of its own: drawn from the numbers that make Poisson gaps, the traced calls would be those of short gaps.
        self._chance = random.Random(f"traces {seed}").random

    def draw(self) -> TraceContext | None:
        """The ids for the next call, or None if it is not traced."""
        return TraceContext.root(self._baggage) if self._chance() < self._ratio else None


def sampler(options: Options) -> Sampler | None:
    """What is asked for; None where no call is traced."""
    if not options.trace_ratio:
        return None
    labels = {
        "sweetspot.run": options.run,
        "sweetspot.trial": options.trial,
        "sweetspot.model": options.model,
        "sweetspot.connections": options.connections,
        "sweetspot.shard": options.shard.index,
    }
    given = {name: value for name, value in labels.items() if value is not None}
    return Sampler(options.trace_ratio, options.seed, given)


def record_spans(tracing: Tracing, method: str, calls: Iterable[TracedCall]) -> None:
    """Makes the CLIENT span of every traced call."""
    for call in calls:
        tracing.end_client_call(
            call.trace,
            method,
            intended_ns=call.intended_ns,
            sent_ns=call.sent_ns,
            ended_ns=call.ended_ns,
            # The connection is closed: the service sees that its caller has left.
            code=Code.CANCELLED if call.code is None else call.code,
            measured=call.measured,
            kind=call.kind,
            server=(call.address.host, call.address.port),
        )


def listed(calls: Sequence[TracedCall]) -> list[dict[str, Any]]:
    """The result's form of the traced calls that were measured."""
    return not_too_many(
        [
            {
                "trace_id": f"{call.trace.trace_id:032x}",
                "latency_ns": call.latency_ns,
                "status": UNFINISHED if call.code is None else call.code.name,
            }
            for call in calls
            if call.measured
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
