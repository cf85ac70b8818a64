"""How long the calls of one method took, by the status that each ended with."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from services.runtime.counters.histogram import Histogram
from services.runtime.counters.shared_counters import SharedCounters
from services.telemetry import TraceContext
from services.telemetry.tracing import server_attributes
from services.wire import Code

DURATION_BOUNDS_NS = tuple(
    round(milliseconds * 1_000_000)
    for milliseconds in (
        *(0.05, 0.1, 0.25, 0.5, 1, 2.5),
        *(5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000),
    )
)
"""OpenTelemetry's bounds for `rpc.server.call.duration` begin at 5 ms, where most calls here have ended."""


class MethodDurations:
    """Any thread of the model's processes may note."""

    __slots__ = ("_first", "_histogram")

    def __init__(self, histogram: Histogram, first: int) -> None:
        """first: the histogram's series of this method and OK; the other statuses follow in the order of `Code`."""
        self._histogram = histogram
        self._first = first

    def note(self, duration_ns: int, code: Code, trace: TraceContext | None = None) -> None:
        """One more call; `trace` is its span, where it is traced."""
        self._histogram.note(duration_ns, trace, self._first + code)


class CallDurations(NamedTuple):
    """Of all calls of a service."""

    histogram: Histogram | None = None
    """None where no metrics are asked for."""
    of: Mapping[bytes, MethodDurations] = MappingProxyType({})
    """By path; empty where no metrics are asked for, so that no call pays for them."""


def call_durations(counters: SharedCounters, paths: Iterable[bytes]) -> CallDurations:
    """In a shared histogram: a series for each method and status, with the attributes of a span of such calls."""
    paths = tuple(paths)
    attributes = [server_attributes(path.decode("ascii"), code) for path in paths for code in Code]
    histogram = counters.histogram(DURATION_BOUNDS_NS, attributes)
    of = {path: MethodDurations(histogram, at * len(Code)) for at, path in enumerate(paths)}
    return CallDurations(histogram, of)
