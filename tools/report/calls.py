"""Which traced calls are shown: of each model the median and the slowest. Must not know HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.report.spans import StoredSpan, read_spans
from tools.report.waterfall import Waterfall, waterfall
from tools.results import Trial
from tools.traces import CANDIDATES, FORWARDED, Jaeger, StoredCall, drawn, median_first, traced, without_spans


@dataclass(frozen=True, slots=True)
class TracedCalls:
    """One model's traced calls."""

    model: str
    calls: Sequence[tuple[str, Waterfall]]
    """(what the call is, as `median`; the call)."""
    note: str
    """What a reader must know of them; why there are none."""
    search: str | None = None
    """A link to the slowest one in the cluster's Jaeger; None where the run had none."""


def shown_calls(folder: Path, trials: Sequence[Trial], run: str | None = None) -> tuple[list[TracedCalls], list[str]]:
    """One entry a trial, and one line for each trace file with unreadable lines.

    `run` is the name that a run in a cluster has in its Jaeger.
    """
    calls = {trial.arm: traced(trial) for trial in trials}
    wanted = {
        call.trace_id
        for ours in calls.values()
        for order in (median_first(ours), ours[::-1])
        for call in order[:CANDIDATES]
    }
    spans, problems = read_spans(folder, wanted)
    shown = [_shown(folder, trial, calls[trial.arm], spans) for trial in trials]
    if run is not None:
        shown = [
            replace(one, search=Jaeger(FORWARDED, run).slowest(trial)) for one, trial in zip(shown, trials, strict=True)
        ]
    return shown, problems


def _shown(
    folder: Path, trial: Trial, calls: Sequence[StoredCall], spans: Mapping[str, Sequence[StoredSpan]]
) -> TracedCalls:
    where = f"at {trial.point.described}"
    if not calls:
        return TracedCalls(trial.arm, [], f"No call was traced {where}.")
    median, slowest = (_first_with_spans(order, spans) for order in (median_first(calls), calls[::-1]))
    if median is None or slowest is None:
        why = without_spans(folder, trial)
        reason = why.read_text(encoding="utf-8").strip() if why.exists() else "traces/ has no span of them"
        # No full stop: the reason may end in a command.
        return TracedCalls(trial.arm, [], f"Calls were traced {where}, but {reason}")
    note = f"{where.capitalize()} {drawn(trial)}"
    if slowest is not calls[-1]:
        note += " The slowest left no spans; this is the slowest that did."
    if median is slowest:
        return TracedCalls(trial.arm, [("only traced", waterfall(median, spans[median.trace_id]))], note)
    pair = [("median", median), ("slowest", slowest)]
    return TracedCalls(trial.arm, [(name, waterfall(call, spans[call.trace_id])) for name, call in pair], note)


def _first_with_spans(calls: Sequence[StoredCall], spans: Mapping[str, Sequence[StoredSpan]]) -> StoredCall | None:
    return next((call for call in calls[:CANDIDATES] if call.trace_id in spans), None)
