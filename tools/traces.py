"""Which traces of a run are worth a look, and whether all of them are there. Must not know where traces are kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.results import Trial

SLOWEST = 3
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Traced:
    """A traced call."""

    trace_id: str
    latency_ns: int
    status: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls of like latency: from `low_ns` on, below `high_ns`; never empty."""

    low_ns: int
    high_ns: int
    calls: tuple[Traced, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the spans that one process, or several of one name, made in a trial."""

    process: str
    made: int
    exported: int
    stored: int


def traced(trial: Trial) -> list[Traced]:
    """The trial's traced calls, the quickest first."""
    calls = [Traced(each["trace_id"], int(each["latency_ns"]), each["status"]) for each in trial.result["traces"]]
    return sorted(calls, key=lambda call: call.latency_ns)


def median(calls: Sequence[Traced]) -> Traced:
    """The call in the middle of those that ended well, else of all. `calls` are sorted, and some."""
    good = [call for call in calls if call.status == "OK"] or calls
    return good[len(good) // 2]


def slowest(calls: Sequence[Traced]) -> list[Traced]:
    """The slowest ones, the very slowest first. `calls` are sorted."""
    return list(calls[::-1][:SLOWEST])


def buckets(calls: Sequence[Traced]) -> list[Bucket]:
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


def tallies(trial: Trial, stored: Mapping[str, int]) -> list[Tally]:
    """Made, exported and stored beside each other; `stored` are the spans found of the trial's traces, by process."""
    return [
        Tally(process, counts["made"], counts["exported"], stored.get(process, 0))
        for process, counts in trial.spans.items()
    ]


def shortfalls(trial: Trial, tally: Sequence[Tally], traces_stored: int) -> Iterator[str]:
    """Why spans are missing, as far as the numbers tell; a line for each cause. Nothing where all are there."""
    calls, listed = trial.result["calls"], len(trial.result["traces"])
    for each in tally:
        if each.made > each.exported:
            lost = each.made - each.exported
            yield f"{each.process} could not export {lost} of {each.made} spans: the collector refused them or was away"
    missing = sum(max(each.exported - each.stored, 0) for each in tally)
    if not missing:
        return
    if listed > traces_stored:
        yield (
            f"{missing} exported spans are not stored, {listed - traces_stored} of {listed} traces not at all: the "
            "store was restarted, or keeps fewer traces (jaeger.maxTraces of the chart)"
        )
    elif calls["unfinished"]:
        yield f"{missing} exported spans are of calls that were unfinished: no span of the driver leads to them"
    else:
        yield f"{missing} exported spans are not stored though their traces are: the store or its queue dropped them"
