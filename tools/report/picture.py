"""The picture that shows the answer: the models in order at one number of connections. Must not know HTML."""

from collections.abc import Sequence

from markupsafe import Markup

from tools import measures
from tools.answer import TIE, clients, compared_at, connections, keeps_up, leaders, ranking, serving_as_many
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
    best, equals = leaders(ranked), serving_as_many(ranked)
    dots = []
    for trial in ranked:
        rate = measures.rate_rps(trial)
        if trial in equals:
            dots.append(_dot(contents, trial, rate, trial in best, trial is ranked[0]))
        else:  # a model that turns clients away has no place in the order, whatever its rate
            dots.append(_dot(contents, trial, None, note=f"{count(round(rate))} calls/s"))
    return dots


def _by_p99(contents: Contents, ranked: Sequence[Trial]) -> list[Dot]:
    p99s = [measures.latency(trial, "p99") for trial in ranked]
    lowest = min((p99.ns for p99 in p99s if p99 and not p99.is_bound), default=0.0)
    dots = []
    for trial, p99 in zip(ranked, p99s, strict=True):
        if p99 is None:
            dots.append(_dot(contents, trial, None, note="too few calls for a p99"))
        elif p99.is_bound:
            dots.append(_dot(contents, trial, None, note=duration(p99.ns, is_bound=True)))
        else:
            dots.append(_dot(contents, trial, p99.ns, p99.ns <= lowest * (1 + TIE), p99.ns == lowest))
    return dots


def _dot(
    contents: Contents, trial: Trial, value: float | None, leads: bool = False, best: bool = False, *, note: str = ""
) -> Dot:
    failed, served = measures.failed_share(trial), measures.clients_served(trial)
    notes = [
        note,
        f"served {clients(served)} clients" if served and served[0] < served[1] else "",
        f"{share(failed)} of the calls failed" if failed else "",
    ]
    mark: Mark = "" if not leads else "best" if best else "tied"
    return Dot(trial.arm, contents.families[trial.arm], value, None, None, mark, "; ".join(filter(None, notes)))
