"""The curves of latency over percentiles, a view for each point. Must not know HTML."""

from tools import experiment as asked
from tools import measures
from tools.report.axes import WORDS, CurveGroup, along
from tools.report.curve import percentile_curve
from tools.report.folder import Contents
from tools.report.plots import axis, curves
from tools.report.plots.axis import PlotAxis
from tools.report.plots.curves import CurveLine, CurvePoint
from tools.report.plots.figure import PlotFigure, View
from tools.units import duration
from tools.words import where


def distribution(contents: Contents, group: CurveGroup, suffix: str) -> tuple[PlotFigure, list[str]]:
    """The figure, and a line for each histogram that could not be decoded."""
    views, problems = [], []
    for point in group.points:
        view, unread = _at(contents, point)
        views.append(view)
        problems += unread
    over = along(contents.asked)
    return PlotFigure(
        f"distribution{suffix}",
        "Latency distribution",
        "How slow the slowest calls are: at 99 %, one call in a hundred took longer or got no answer. Ends at the "
        "slowest answer.",
        WORDS[over].title if over else "",
        views,
        selected=len(views) - 1,
    ), problems


def _at(contents: Contents, at: asked.Point) -> tuple[View, list[str]]:
    lines, problems = [], []
    for trial in contents.trials:
        if trial.id.point != at.name or not trial.result["latency_ns"]["histogram"]:
            continue
        try:
            curve = percentile_curve(trial.result["latency_ns"]["histogram"], measures.answered_share(trial))
        except ValueError as error:
            problems.append(f"{where(trial)}: latency histogram: {error}")
            continue
        points = [_slower(one_in, ns) for one_in, ns in curve]
        lines.append(CurveLine(trial.arm, contents.families[trial.arm], points))
    over = along(contents.asked)
    plot = curves.draw(
        lines,
        x=_odds([point.x for line in lines for point in line.points]),
        y=axis.logarithmic((point.y for line in lines for point in line.points if point.y), duration),
        title=f"Latency distribution at {at.described}",
        x_title="share of calls that took this long or less",
        y_title="latency (lower is better)",
    )
    return View(WORDS[over].value(at.values[over]) if over else at.described, plot), problems


def _slower(one_in: float, ns: float) -> CurvePoint:
    """A point of the distribution, with its value at 0, 90, 99 % and so on."""
    decade = abs(one_in - float(f"1e{len(str(round(one_in))) - 1}")) < 1e-6 * one_in
    return CurvePoint(one_in, ns, text=duration(ns) if decade else "")


def _odds(odds: list[float]) -> PlotAxis:
    """From 0 % on, one tick for each further 9."""
    highest = max(odds, default=10.0)
    ticks = [(10.0**digits, "0 %" if not digits else f"{100 - 100 / 10**digits:.7g} %") for digits in range(8)]
    return PlotAxis(1.0, highest, tuple(tick for tick in ticks if tick[0] <= highest), log=True)
