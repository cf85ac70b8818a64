"""The slowest call of one kind in a traced trial, and which other calls its worker ran while it waited.

Must not know how spans are drawn, nor what a claim states.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.report.spans import StoredSpan, read_spans
from tools.report.waterfall import Waterfall, waterfall
from tools.results import Trial
from tools.traces import StoredCall, traced

OTHERS = 3
"""Number of other calls that are shown: those that took most of its wait."""


@dataclass(frozen=True, slots=True)
class OtherCall:
    """A call that its worker ran while it waited."""

    kind: str
    """Empty where all calls are alike."""
    offset_ns: float
    """From the intended send of the slow call; below 0 where it ran before."""
    duration_ns: float


@dataclass(frozen=True, slots=True)
class SlowestCall:
    """A call with its spans."""

    kind: str
    median_ns: float
    """Latency of the calls of its kind that were traced."""
    shown: Waterfall
    others: Sequence[OtherCall]
    """In the order in which they ran."""


def slowest(folder: Path, trial: Trial, kind: str) -> SlowestCall | None:
    """None where no call of that kind has spans of driver and service. An empty kind stands for all calls."""
    every, _ = read_spans(folder, {call.trace_id for call in traced(trial)})
    ours = [call for call in traced(trial) if call.status == "OK" and _kind(every.get(call.trace_id, ()), kind)]
    for call in reversed(ours):
        shown = waterfall(call, every[call.trace_id])
        if shown.account is not None:
            return SlowestCall(kind, ours[len(ours) // 2].latency_ns, shown, _others(call, every))
    return None


def _kind(spans: Sequence[StoredSpan], kind: str) -> bool:
    driver = _driver(spans)
    return driver is not None and (not kind or driver.attributes.get("sweetspot.kind") == kind)


def _driver(spans: Sequence[StoredSpan]) -> StoredSpan | None:
    return next((span for span in spans if not span.parent_id), None)


def _runs(spans: Sequence[StoredSpan]) -> Iterator[StoredSpan]:
    """Of a call: its handler. A model of several processes may have no name for the worker."""
    return (span for span in spans if span.name == "run" and span.attributes.get("sweetspot.worker"))


def _others(call: StoredCall, every: Mapping[str, Sequence[StoredSpan]]) -> list[OtherCall]:
    """Those that ran on the worker of the call, between its intended send and its own handler."""
    spans = every[call.trace_id]
    sent, run = _driver(spans), next(_runs(spans), None)
    if sent is None or run is None:
        return []
    worker = run.process, run.attributes["sweetspot.worker"]
    found = []
    for trace_id, others in every.items():
        for other in _runs(others) if trace_id != call.trace_id else ():
            took = min(other.end_ns, run.start_ns) - max(other.start_ns, sent.start_ns)
            if took > 0 and (other.process, other.attributes["sweetspot.worker"]) == worker:
                found.append((took, other, _driver(others)))
    most = sorted(found, key=lambda each: -each[0])[:OTHERS]
    return [
        OtherCall(
            driver.attributes.get("sweetspot.kind", "") if driver else "",
            other.start_ns - sent.start_ns,
            other.duration_ns,
        )
        for _, other, driver in sorted(most, key=lambda each: each[1].start_ns)
    ]
