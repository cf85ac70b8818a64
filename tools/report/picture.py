"""The picture that shows the answer: the arms in order at one point. Must not know HTML."""

from collections.abc import Callable

from markupsafe import Markup

from tools import measures
from tools.report.folder import Contents
from tools.report.plots import dots
from tools.report.plots.dots import Dot, DotMark
from tools.report.table import percentile
from tools.results import Trial
from tools.standings import PointStandings, Standing, compared
from tools.stats.interval import estimate
from tools.units import count, duration, share
from tools.values import Values, cpus_ns, p99s_ns, series
from tools.words import rounds

MARKS: dict[str, DotMark] = {"best": "best", "tied": "tied", "behind": "", "unranked": "void"}


def picture(contents: Contents) -> Markup:
    """By rate; by p99 where every arm serves the rate that an open loop asks. Empty where nothing was measured."""
    at = compared(contents.points)
    if at is None:
        return Markup()
    measured = {one.arm for one in at.standings}
    unmeasured = [
        Dot(one.arm, contents.families[one.arm], None, None, None, "void", one.why)
        for one in {one.arm: one for one in contents.unmeasured if one.at == at.described}.values()
        if one.arm not in measured
    ]
    drawn = [*(_dot(contents, one) for one in at.standings), *unmeasured]
    caption = _caption(at)
    if at.measure == "p99":
        return dots.draw(
            drawn, title=f"p99 latency at {at.described}", caption=caption, text=duration, higher_is_better=False
        )
    return dots.draw(
        drawn,
        title=f"Calls answered OK at {at.described}",
        unit="calls/s",
        caption=caption,
        text=lambda rate: count(round(rate)),
    )


def of_times(contents: Contents, at: PointStandings, title: str, values: Values, why: Callable[[Trial], str]) -> Markup:
    """A time for each arm; less is better. `why` returns why an arm has none, and is empty if it has one."""
    drawn = []
    for one in at.standings:
        rounds = [trial for trial in contents.rounds if (trial.arm, trial.point) == (one.arm, at.point)]
        known, family, lacks = series(one.arm, rounds, values), contents.families[one.arm], why(one.trial)
        if lacks or not known.values:
            drawn.append(Dot(one.arm, family, None, None, None, "void", lacks or "not known"))
        else:
            mean = estimate(known)
            drawn.append(Dot(one.arm, family, mean.value, mean.low, mean.high, "", ""))
    title = f"{title} at {at.described}"
    return dots.draw(drawn, title=title, caption=_caption(at), text=duration, higher_is_better=False)


def of_latency(
    contents: Contents, at: PointStandings, title: str, part: Callable[[Trial], Trial] = lambda trial: trial
) -> Markup:
    """The p99 of each arm, of that part of its calls."""

    def why(trial: Trial) -> str:
        known = measures.latency(part(trial), "p99")
        return percentile(part(trial), "p99") if known is None or known.is_bound else ""

    return of_times(contents, at, title, lambda trial: p99s_ns(part(trial)), why)


def of_one_point(contents: Contents) -> list[Markup]:
    """What curves show where there are several points."""
    at = compared(contents.points)
    if at is None:
        return []
    latency = [] if at.measure == "p99" else [of_latency(contents, at, "p99 latency")]
    return [*latency, of_times(contents, at, "CPU time for each call", cpus_ns, lambda _: "")]


def _caption(at: PointStandings) -> str:
    number = max(one.rounds for one in at.standings)
    provisional = "" if number > 2 else " Fewer than three rounds: provisional."
    return f"Geometric mean of {rounds(number)}, with its 95 % interval.{provisional}"


def _dot(contents: Contents, one: Standing) -> Dot:
    failed = measures.failed_share(one.trial)
    notes = [one.why, f"{share(failed)} of the calls failed" if failed else ""]
    family, note = contents.families[one.arm], "; ".join(filter(None, notes))
    if one.value is None or one.rank == "unranked":
        return Dot(one.arm, family, None, None, None, MARKS[one.rank], note)
    return Dot(one.arm, family, one.value.value, one.value.low, one.value.high, MARKS[one.rank], note)
