"""Which traced calls are shown: of each model the median and the slowest. Must not know HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.answer import connections
from tools.report.spans import Span, read_spans
from tools.report.waterfall import Waterfall, waterfall
from tools.results import Trial
from tools.traces import Traced, traced
from tools.units import count

CANDIDATES = 8
"""Calls tried for one place: exporters drop spans under load, and a call without spans shows nothing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One model's traced calls."""

    model: str
    calls: Sequence[tuple[str, Waterfall]]
    """(what the call is, as `median`; the call)."""
    note: str
    """What a reader must know of them; why there are none."""


def shown_calls(folder: Path, trials: Sequence[Trial]) -> tuple[list[Shown], list[str]]:
    """One entry a trial, and one line for each trace file with unreadable lines."""
    calls = {trial.model: traced(trial) for trial in trials}
    wanted = {
        call.trace_id
        for ours in calls.values()
        for order in (_median_first(ours), ours[::-1])
        for call in order[:CANDIDATES]
    }
    spans, problems = read_spans(folder, wanted)
    return [_shown(trial, calls[trial.model], spans) for trial in trials], problems


def _shown(trial: Trial, calls: Sequence[Traced], spans: Mapping[str, Sequence[Span]]) -> Shown:
    where = f"at {connections(trial.connections)}"
    if not calls:
        return Shown(trial.model, [], f"No call was traced {where}.")
    median, slowest = (_first_with_spans(order, spans) for order in (_median_first(calls), calls[::-1]))
    if median is None or slowest is None:
        return Shown(trial.model, [], f"Calls were traced {where}, but traces/ holds no span of them.")
    note = f"Of {count(len(calls))} traced calls {where}."
    if slowest is not calls[-1]:
        note += " The slowest left no spans; this is the slowest that did."
    if median is slowest:
        return Shown(trial.model, [("only traced", waterfall(median, spans[median.trace_id]))], note)
    pair = [("median", median), ("slowest", slowest)]
    return Shown(trial.model, [(name, waterfall(call, spans[call.trace_id])) for name, call in pair], note)


def _median_first(calls: Sequence[Traced]) -> list[Traced]:
    """Sorted calls by their distance from the middle."""
    middle = (len(calls) - 1) // 2
    return [calls[place] for place in sorted(range(len(calls)), key=lambda place: abs(place - middle))]


def _first_with_spans(calls: Sequence[Traced], spans: Mapping[str, Sequence[Span]]) -> Traced | None:
    return next((call for call in calls[:CANDIDATES] if call.trace_id in spans), None)
