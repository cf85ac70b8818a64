"""The picture that shows the answer: the arms in order at one point. Must not know HTML."""

from markupsafe import Markup

from tools import measures
from tools.report.folder import Contents
from tools.report.plots import dots
from tools.report.plots.dots import Dot, Mark
from tools.standings import At, Standing, compared
from tools.units import count, duration, share
from tools.words import rounds

MARKS: dict[str, Mark] = {"best": "best", "tied": "tied", "behind": "", "unranked": "void"}


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


def _caption(at: At) -> str:
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
