"""The picture that shows the answer: the models in order at one number of connections. Must not know HTML."""

from collections.abc import Sequence

from markupsafe import Markup

from tools import measures
from tools.answer import TIE, compared_at, connections, keeps_up, leaders, ranking
from tools.report.folder import Contents
from tools.report.plots import dots
from tools.report.plots.dots import Dot, Mark
from tools.results import Trial
from tools.units import count, duration, share

NO_INTERVAL = f"All rounds of a model together, without an interval. Less than {share(TIE)} apart is a tie."


def picture(contents: Contents) -> Markup:
    """By rate; by p99 where every model serves the rate that an open loop asks. Empty where nothing was measured."""
    at = compared_at(contents.trials)
    if at is None:
        return Markup()
    ranked = ranking(contents.trials, at)
    measured = {trial.arm for trial in ranked}
    unmeasured = [
        Dot(one.arm, contents.families[one.arm], None, None, None, "void", one.why)
        for one in {one.arm: one for one in contents.unmeasured if one.connections == at}.values()
        if one.arm not in measured
    ]
    if all(map(keeps_up, ranked)):
        return dots.draw(
            [*_by_p99(contents, ranked), *unmeasured],
            title=f"p99 latency at {connections(at)}",
            caption=NO_INTERVAL,
            text=duration,
            higher_is_better=False,
        )
    return dots.draw(
        [*_by_rate(contents, ranked), *unmeasured],
        title=f"Calls answered OK at {connections(at)}",
        unit="calls/s",
        caption=NO_INTERVAL,
        text=lambda rate: count(round(rate)),
    )


def _by_rate(contents: Contents, ranked: Sequence[Trial]) -> list[Dot]:
    best = leaders(ranked)
    return [_dot(contents, trial, measures.rate_rps(trial), trial in best, trial is ranked[0]) for trial in ranked]


def _by_p99(contents: Contents, ranked: Sequence[Trial]) -> list[Dot]:
    values = [measures.latency_ns(trial, "p99") for trial in ranked]
    lowest = min((value for value in values if value is not None), default=0.0)
    return [
        _dot(contents, trial, value, value is not None and value <= lowest * (1 + TIE), value == lowest)
        for trial, value in zip(ranked, values, strict=True)
    ]


def _dot(contents: Contents, trial: Trial, value: float | None, leads: bool, best: bool) -> Dot:
    failed = measures.failed_share(trial)
    notes = [
        "" if value is not None else "too few calls for a p99",
        f"{share(failed)} of the calls failed" if failed else "",
    ]
    mark: Mark = "" if not leads else "best" if best else "tied"
    return Dot(trial.arm, contents.families[trial.arm], value, None, None, mark, "; ".join(filter(None, notes)))
