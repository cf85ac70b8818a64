"""Which traces of a run are worth a look, and whether all of them are there. Must not know where traces are stored."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from tools.results import Trial
from tools.units import count, duration

FORWARDED = "http://localhost:16686"
"""Where a browser finds a cluster's Jaeger, once its port is forwarded."""
CANDIDATES = 8
"""Calls tried for one place: exporters drop spans under load, and a call without spans shows nothing."""
SLOWEST = 3
_MARGIN = timedelta(minutes=3)
"""Wall clocks of nodes and of the process that dated the trial differ, and a load takes time to begin."""
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A traced call."""

    trace_id: str
    latency_ns: int
    status: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls of like latency: from `low_ns` on, below `high_ns`; never empty."""

    low_ns: int
    high_ns: int
    calls: tuple[StoredCall, ...]


@dataclass(frozen=True, slots=True)
class Jaeger:
    """Links into the Jaeger that has the traces of a run."""

    url: str
    run: str
    """As spans name it."""

    def trace(self, call: StoredCall) -> str:
        """One call."""
        return f"{self.url}/trace/{call.trace_id}"

    def slowest(self, trial: Trial) -> str | None:
        """A search for the slowest traced call of the trial; None if no call was traced."""
        calls = traced(trial)
        if not calls:
            return None
        start, end = period(trial)
        tags = {
            "sweetspot.model": trial.model,
            "sweetspot.connections": str(trial.connections),
            "sweetspot.run": self.run,
            "sweetspot.trial": str(trial.id),
            "sweetspot.measured": "true",
        }
        query = {
            "service": "driver",
            "tags": json.dumps(tags),
            # Jaeger has microseconds.
            "minDuration": f"{calls[-1].latency_ns // 1000}us",
            "start": round(start.timestamp() * 1e6),
            "end": round(end.timestamp() * 1e6),
            "lookback": "custom",
            "limit": 20,
        }
        return f"{self.url}/search?{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class ProcessSpans:
    """What happened to the spans that one process, or several of one name, made in a trial."""

    process: str
    made: int
    exported: int
    stored: int
    lost: Mapping[str, int] = field(default_factory=dict)
    """Of those not exported: how many for which reason."""


def traced(trial: Trial) -> list[StoredCall]:
    """The trial's traced calls, the quickest first."""
    calls = [StoredCall(each["trace_id"], int(each["latency_ns"]), each["status"]) for each in trial.result["traces"]]
    return sorted(calls, key=lambda call: call.latency_ns)


def median(calls: Sequence[StoredCall]) -> StoredCall:
    """The call in the middle of those that ended well, or else of all. `calls` are sorted, and not empty."""
    good = [call for call in calls if call.status == "OK"] or calls
    return good[len(good) // 2]


def slowest(calls: Sequence[StoredCall]) -> list[StoredCall]:
    """The slowest ones, the very slowest first. `calls` are sorted."""
    return list(calls[::-1][:SLOWEST])


def median_first(calls: Sequence[StoredCall]) -> list[StoredCall]:
    """Sorted calls by their distance from the middle."""
    middle = (len(calls) - 1) // 2
    return [calls[place] for place in sorted(range(len(calls)), key=lambda place: abs(place - middle))]


def drawn(trial: Trial) -> str:
    """How many calls were traced, and the latencies of the slowest call of this sample and of all calls."""
    calls, listed = trial.result["calls"], traced(trial)
    number = calls.get("traced", len(listed))
    text = f"{count(number)} of {count(calls['planned'])} calls were traced, drawn by chance"
    most_ns = trial.result["latency_ns"]["max"]
    answered = [call.latency_ns for call in listed if call.status == "OK"]
    if not answered or most_ns is None:
        return f"{text}."
    return (
        f"{text}: of those answered the slowest traced took {duration(max(answered))}, "
        f"the slowest of all {duration(most_ns)}."
    )


def port_forward(namespace: str, service: str) -> str:
    """The command that makes links to Jaeger work."""
    return f"kubectl port-forward -n {namespace} service/{service} 16686"


def period(trial: Trial) -> tuple[datetime, datetime]:
    """A period in which all of the trial's spans were made, even if clocks differ."""
    asked = trial.result["asked"]
    began = datetime.fromisoformat(trial.result["started_at"]).astimezone(UTC)
    lasted = timedelta(seconds=asked["warmup_s"] + asked["duration_s"] + asked["timeout_s"])
    return began - _MARGIN, began + lasted + _MARGIN


def without_spans(folder: Path, trial: Trial) -> Path:
    """The file with the reason why a results folder has no spans of a trial."""
    return folder / "traces" / f"{trial.id}.why"


def buckets(calls: Sequence[StoredCall]) -> list[Bucket]:
    """The calls by latency, in steps of 1, 2 and 5. `calls` are sorted."""
    found: list[Bucket] = []
    bounds = _bounds()
    low_ns, high_ns = 0, next(bounds)
    rest = list(calls)
    while rest:
        inside = [call for call in rest if call.latency_ns < high_ns]
        if inside:
            found.append(Bucket(low_ns, high_ns, tuple(inside)))
            rest = rest[len(inside) :]
        low_ns, high_ns = high_ns, next(bounds)
    return found


def _bounds() -> Iterator[int]:
    decade_ns = 1_000
    while True:
        for step in _STEPS:
            yield step * decade_ns
        decade_ns *= 10


def tallies(trial: Trial, stored: Mapping[str, int]) -> list[ProcessSpans]:
    """For each process, the numbers of spans that it made and exported, and that are stored.

    `stored`: process -> spans of the trial's traces in the trace store.
    """
    return [
        ProcessSpans(process, counts["made"], counts["exported"], stored.get(process, 0), counts.get("lost", {}))
        for process, counts in trial.spans.items()
    ]


def reasons(lost: Mapping[str, int]) -> str:
    """Why spans were lost, the most frequent first."""
    by_number = sorted(lost.items(), key=lambda each: -each[1])
    return (
        ", ".join(f"{count(number)} {why}" for why, number in by_number)
        or "the collector rejected them or was unreachable"
    )


def shortfalls(trial: Trial, tally: Sequence[ProcessSpans], traces_stored: int) -> Iterator[str]:
    """Why spans are missing, as far as the numbers show it; a line for each cause. Empty if none is missing.

    Each span of the driver is the root of a trace.
    """
    spans = trial.result["spans"]
    exported = spans["exported"] if spans else 0
    for each in tally:
        if each.made > each.exported:
            lost = each.made - each.exported
            yield f"{each.process} could not export {lost} of {each.made} spans: {reasons(each.lost)}"
    missing = sum(max(each.exported - each.stored, 0) for each in tally)
    if not missing:
        return
    if exported > traces_stored:
        yield (
            f"{missing} exported spans are not stored, {exported - traces_stored} of {exported} traces not at all: the "
            "store was restarted or retains fewer traces (jaeger.maxTraces of the chart)"
        )
    else:
        yield f"{missing} exported spans are not stored though their traces are: the store or its queue dropped them"
