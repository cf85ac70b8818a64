"""What each plot of a grid shows, as data; how it is drawn is the page's script. Must not know HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.scale import curves, numbers
from tools.scale.answer import interval
from tools.scale.cells import LeftOut, Searched
from tools.scale.results import Kept
from tools.units import count, three_digits

_POINTS = 60


@dataclass(frozen=True, slots=True)
class Heat:
    """Replicas (columns) by CPUs of each (rows)."""

    x: list[str]
    y: list[str]
    z: list[list[float | None]]
    text: list[list[str]]
    """What stands in each field."""
    told: list[list[str]]
    """What the pointer is told."""


@dataclass(frozen=True, slots=True)
class Points:
    """One service's points, each with the ends of its interval, and the fitted curve where there is one."""

    service: str
    x: list[float] | list[str]
    y: list[float]
    below: list[float]
    above: list[float]
    """Lengths of the two halves of the interval."""
    text: list[str]
    curve_x: list[float]
    curve_y: list[float]


@dataclass(frozen=True, slots=True)
class View:
    """One thing that a plot can show; a heat map, or points."""

    label: str
    x_title: str
    y_title: str
    heat: Heat | None
    points: list[Points]
    proportional: bool = False
    """Whether a line shows what N times as much would be."""
    notes: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure of the page."""

    name: str
    plan: str
    title: str
    caption: str
    chooser: str
    views: list[View]


def plots(kept: Kept, plans: Sequence[str]) -> list[Plot]:
    """For each plan the map, the shapes of one size, and the speed-up."""
    return [
        plot for plan in plans for plot in (_map(kept, plan), _shapes(kept, plan), _speed_up(kept, plan)) if plot.views
    ]


def _map(kept: Kept, plan: str) -> Plot:
    ours = [one for one in kept.searched if one.cell.plan == plan]
    out = [one for one in kept.left_out if one.cell.plan == plan]
    services = dict.fromkeys(one.cell.service for one in ours)
    return Plot(
        f"map-{plan}",
        plan,
        "How much each shape serves",
        "Calls/s at the highest rate that met the objective. A field without a number was left out, or met it at none.",
        "Model",
        [View(service, "replicas", "CPUs of each", _heat(ours, out, service), []) for service in services],
    )


def _heat(searched: Sequence[Searched], left_out: Sequence[LeftOut], service: str) -> Heat:
    of = {(one.cell.replicas, one.cell.cpus): one for one in searched if one.cell.service == service}
    why = {(one.cell.replicas, one.cell.cpus): one.why for one in left_out if one.cell.service == service}
    replicas = sorted({key[0] for key in (*of, *why)})
    cpus = sorted({key[1] for key in (*of, *why)})
    fields = [[(of.get((n, limit)), why.get((n, limit), "not measured")) for n in replicas] for limit in cpus]
    return Heat(
        [count(n) for n in replicas],
        [count(limit) for limit in cpus],
        [[None if one is None else one.found.met_rps for one, _ in row] for row in fields],
        [
            ["" if one is None or one.found.met_rps is None else three(one.found.met_rps) for one, _ in row]
            for row in fields
        ],
        [[f"left out: {reason}" if one is None else interval(one) for one, reason in row] for row in fields],
    )


def _shapes(kept: Kept, plan: str) -> Plot:
    ours = [one for one in kept.searched if one.cell.plan == plan and numbers.middle_rps(one) is not None]
    views = []
    for size in sorted({one.cell.total_cpus for one in ours}, reverse=True):
        of_size = sorted((one for one in ours if one.cell.total_cpus == size), key=lambda one: one.cell.replicas)
        if len({one.cell.shape for one in of_size}) < 2:
            continue
        points = [
            _points(service, [one.cell.shape for one in mine], mine)
            for service in dict.fromkeys(one.cell.service for one in of_size)
            if (mine := [one for one in of_size if one.cell.service == service])
        ]
        views.append(
            View(f"{count(size)} CPU{'' if size == 1 else 's'}", "replicas x CPUs of each", "calls/s", None, points)
        )
    return Plot(
        f"shapes-{plan}",
        plan,
        "Few large or many small",
        "The same CPUs in all, cut differently. A bar reaches from the highest rate that met to the lowest that "
        "missed: shapes whose bars overlap are not told apart.",
        "CPUs in all",
        views,
    )


def _points(service: str, x: list[str], searched: Sequence[Searched]) -> Points:
    y = [numbers.middle_rps(one) or 0.0 for one in searched]
    ends = [numbers.rates(one) or (0.0, None) for one in searched]
    below = [middle - met for middle, (met, _) in zip(y, ends, strict=True)]
    above = [(missed or middle) - middle for middle, (_, missed) in zip(y, ends, strict=True)]
    return Points(service, x, y, below, above, [interval(one) for one in searched], [], [])


def _speed_up(kept: Kept, plan: str) -> Plot:
    return Plot(
        f"speedup-{plan}",
        plan,
        "Speed-up",
        "The rate as a multiple of what one alone would serve, by the point with the fewest. Dotted: in proportion. "
        "Dashed: the Universal Scalability Law, where the points allow to fit it.",
        "Along",
        [
            View(
                direction.label,
                direction.unit,
                "times one alone",
                None,
                [_multiples(curve) for curve in direction.curves],
                proportional=True,
                notes=[f"{curve.service}: {told(curve)}" for curve in direction.curves],
            )
            for direction in curves.directions(kept.searched, plan)
        ],
    )


def _multiples(curve: curves.Curve) -> Points:
    alone = curve.alone
    drawn = (
        [curve.n[0] + (curve.n[-1] - curve.n[0]) * step / _POINTS for step in range(_POINTS + 1)]
        if curve.fitted
        else []
    )
    return Points(
        curve.service,
        list(curve.n),
        [rate / alone for rate in curve.rates],
        [(rate - low) / alone for rate, low in zip(curve.rates, curve.low, strict=True)],
        [(high - rate) / alone for rate, high in zip(curve.rates, curve.high, strict=True)],
        [f"{three_digits(rate / alone)} x ({three(rate)} calls/s)" for rate in curve.rates],
        drawn,
        [curve.fitted.at(n) / alone for n in drawn] if curve.fitted else [],
    )


def told(curve: curves.Curve) -> str:
    """What the fit says, or why there is none."""
    fitted = curve.fitted
    if fitted is None:
        return f"no law fitted: {curve.refused}."
    text = f"sigma {fitted.sigma}, kappa {fitted.kappa}"
    if fitted.peak is None:
        return f"{text}; no peak in sight."
    beyond = ", beyond what was measured" if fitted.peak.value > curve.n[-1] else ""
    return f"{text}; peak at N = {fitted.peak}{beyond}."


def three(rate_rps: float) -> str:
    """Three digits: a search claims no more."""
    return count(round(float(f"{rate_rps:.3g}")))
