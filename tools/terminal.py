"""What a person sees in the terminal: progress, and the result in a table. Must not know how a trial is run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from tools import measures, traces
from tools.experiment import Point
from tools.progress import Progress
from tools.results import Trial, TrialId
from tools.traces import Jaeger, ProcessSpans, StoredCall
from tools.trial_specs import TrialSpec
from tools.units import count, duration
from tools.words import unanswered, where

if TYPE_CHECKING:
    from tools.cluster.overview import Overview


class RunProgress:
    """Reports trials."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.failures: list[str] = []
        """One line each."""
        self.voids = 0
        self._shown: set[TrialId] = set()

    def begins(self, trial: TrialSpec) -> None:
        self._progress.at_hand(trial.described)

    def waits(self, trial: TrialSpec, why: str) -> None:
        self._progress.note(f"{trial.described} {why}")

    def ended(self, trial: Trial) -> None:
        p99 = measures.latency(trial, "p99")
        line = unanswered(trial) or f"{count(round(measures.rate_rps(trial))):>7} calls/s"
        if p99 is not None:
            line += f"   p99 {duration(p99.ns, is_bound=p99.is_bound)}"
        self._show(trial.id, trial.point, line)

    def repeats(self, trial: TrialSpec, why: str) -> None:
        self._progress.note(f"{trial.described} is void: {why}; repeating it once")

    def void(self, trial: TrialSpec, why: str) -> None:
        self.voids += 1
        self._show(trial.id, trial.point, f"void: {why}")

    def failed(self, trial: TrialSpec, why: str) -> None:
        self.failures.append(f"{trial.described} failed: {why}")
        self._show(trial.id, trial.point, f"failed: {why}")

    def _show(self, trial: TrialId, point: Point, what: str) -> None:
        arm = f"{trial.arm}{' (again)' if trial.again else ''}"
        line = f"{arm:22}  {point.described:>17}  round {trial.round}  {what}"
        if trial in self._shown:  # it is repeated, or void beside the others
            self._progress.note(line)
        else:
            self._progress.ended(line)
        self._shown.add(trial)


def show_runs(console: Console, runs: "Sequence[Overview]") -> None:
    """Prints the runs that are stored in a cluster."""
    if not runs:
        console.print("no runs")
    for each in runs:
        asked = "?" if each.asked is None else count(each.asked)
        console.print(
            f"{each.run}  {each.began}  {count(each.done)} of {asked} {each.things}  {each.title}",
            markup=False,
            soft_wrap=True,
        )


def show_traces(
    console: Console, trial: Trial, tally: Sequence[ProcessSpans], missing: Sequence[str], jaeger: Jaeger
) -> None:
    """Prints a trial's traces worth a look, one for each latency, and what happened to its spans."""

    def add(text: str) -> None:
        # Unwrapped, so that links can be followed.
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def link(name: str, call: StoredCall) -> None:
        add(f"  {name:>14}  {duration(call.latency_ns):>9}  {jaeger.trace(call)}  {call.status}")

    calls = traces.traced(trial)
    add(f"\n{where(trial)}: {traces.drawn(trial)}")
    if calls:
        link("median", traces.median(calls))
        for place, call in enumerate(traces.slowest(calls), 1):
            link("slowest" if place == 1 else f"slowest but {place - 1}", call)
        add(f"  search for the slowest: {jaeger.slowest(trial)}")
        add("  by latency:")
        for bucket in traces.buckets(calls):
            link(f"{count(len(bucket.calls))} of them", bucket.calls[len(bucket.calls) // 2])
    for each in tally:
        numbers = f"{count(each.made)} made, {count(each.exported)} exported, {count(each.stored)} stored"
        add(f"  spans of {each.process}: {numbers}")
    for why in missing:
        add(f"  missing: {why}")
