"""What each figure of a grid shows."""

from collections.abc import Sequence

from tools.families import family
from tools.report.plots import axis
from tools.report.plots.curves import CurveLine, CurvePoint, draw
from tools.report.plots.figure import PlotFigure, View
from tools.report.plots.heatmap import HeatField, heatmap
from tools.scale import curves, metrics
from tools.scale.cells import OmittedCell, SearchedCell
from tools.scale.headline import interval
from tools.scale.results import StoredCells
from tools.units import count, three_digits

_STEPS = 60
"""Of a fitted curve."""


def figures(stored: StoredCells, plan: str) -> list[PlotFigure]:
    """The map, the shapes of one size, and the speed-up under one plan."""
    return [figure for figure in (_map(stored, plan), _shapes(stored, plan), _speed_up(stored, plan)) if figure.views]


def _map(stored: StoredCells, plan: str) -> PlotFigure:
    ours = [one for one in stored.searched if one.cell.plan == plan]
    out = [one for one in stored.left_out if one.cell.plan == plan]
    return PlotFigure(
        f"map-{plan}",
        "How much each shape serves",
        "Calls/s at the highest rate that met the objective (higher is better). A field without a number was left out, "
        "or met the objective at no rate.",
        "Model",
        [_heat(ours, out, service) for service in dict.fromkeys(one.cell.service for one in ours)],
    )


def _heat(searched: Sequence[SearchedCell], left_out: Sequence[OmittedCell], service: str) -> View:
    of = {(one.cell.replicas, one.cell.cpus): one for one in searched if one.cell.service == service}
    why = {(one.cell.replicas, one.cell.cpus): one.why for one in left_out if one.cell.service == service}
    replicas, cpus = (sorted(set(sizes)) for sizes in zip(*of, *why, strict=True))

    def field(key: tuple[int, float]) -> HeatField:
        one = of.get(key)
        if one is None:
            return HeatField(None, "", f"left out: {why[key]}" if key in why else "not measured")
        met_rps = one.found.met_rps
        return HeatField(met_rps, "" if met_rps is None else three(met_rps), interval(one))

    plot = heatmap(
        [[field((n, limit)) for n in replicas] for limit in reversed(cpus)],
        title=f"{service}, calls/s",
        columns=[count(n) for n in replicas],
        rows=[count(limit) for limit in reversed(cpus)],
        column_title="replicas",
        row_title="CPUs of each",
    )
    return View(service, plot)


def _shapes(stored: StoredCells, plan: str) -> PlotFigure:
    ours = [one for one in stored.searched if one.cell.plan == plan and metrics.middle_rps(one) is not None]
    views = []
    for size in sorted({one.cell.total_cpus for one in ours}, reverse=True):
        of_size = sorted((one for one in ours if one.cell.total_cpus == size), key=lambda one: one.cell.replicas)
        if len({one.cell.shape for one in of_size}) > 1:
            views.append(_shapes_of(of_size, f"{count(size)} CPU{'' if size == 1 else 's'}"))
    return PlotFigure(
        f"shapes-{plan}",
        "Few large or many small",
        "The same total of CPUs, divided differently. A bar reaches from the highest rate that met the "
        "objective to the lowest that missed it. Shapes whose bars overlap are not distinguished.",
        "CPUs in all",
        views,
    )


def _shapes_of(searched: Sequence[SearchedCell], label: str) -> View:
    shapes = list(dict.fromkeys(one.cell.shape for one in searched))
    points: dict[str, list[CurvePoint]] = {}
    for one in searched:
        met, missed = metrics.rates(one) or (0.0, None)
        middle = metrics.middle_rps(one) or 0.0
        text = interval(one).removesuffix(" calls/s")
        points.setdefault(one.cell.service, []).append(
            CurvePoint(shapes.index(one.cell.shape), middle, met, missed or middle, text)
        )
    plot = draw(
        [CurveLine(service, _family(service), ours) for service, ours in points.items()],
        x=axis.marked(list(enumerate(shapes))),
        y=axis.linear(point.high or 0.0 for ours in points.values() for point in ours),
        title=f"Shapes of {label}",
        x_title="replicas x CPUs of each",
        y_title="calls/s (higher is better)",
    )
    return View(label, plot)


def _speed_up(stored: StoredCells, plan: str) -> PlotFigure:
    return PlotFigure(
        f"speedup-{plan}",
        "Speed-up",
        "The rate as a multiple of the rate of one, derived from the point with the fewest. Dotted: in proportion. "
        "Dashed: the Universal Scalability Law, where the points allow to fit it.",
        "Along",
        [_multiples(direction) for direction in curves.directions(stored.searched, plan)],
    )


def _multiples(direction: curves.Direction) -> View:
    lines = [_multiple(curve) for curve in direction.curves]
    sizes = sorted({0.0, *(n for curve in direction.curves for n in curve.n)})
    plot = draw(
        lines,
        x=axis.marked([(n, count(n)) for n in sizes]),
        y=axis.linear([sizes[-1], *(point.high or 0.0 for line in lines for point in line.points)]),
        title=f"Speed-up along {direction.label}",
        x_title=direction.unit,
        y_title="times one alone (higher is better)",
        proportional=True,
    )
    return View(direction.label, plot, [f"{curve.service}: {direction_text(curve)}" for curve in direction.curves])


def _multiple(curve: curves.ScalingCurve) -> CurveLine:
    alone, fitted, first, last = curve.alone, curve.fitted, curve.n[0], curve.n[-1]
    steps = [first + (last - first) * step / _STEPS for step in range(_STEPS + 1)]
    points = [
        CurvePoint(n, rate / alone, low / alone, high / alone, f"{three_digits(rate / alone)} x")
        for n, rate, low, high in zip(curve.n, curve.rates, curve.low, curve.high, strict=True)
    ]
    return CurveLine(
        curve.service, _family(curve.service), points, [(n, fitted.at(n) / alone) for n in steps] if fitted else []
    )


def _family(service: str) -> str:
    """A service is named by its model and its workers."""
    return family(service.partition(" ")[0])


def direction_text(curve: curves.ScalingCurve) -> str:
    """The result of the fit, or why there is none."""
    fitted = curve.fitted
    if fitted is None:
        return f"no law fitted: {curve.refused}."
    text = f"sigma {fitted.sigma}, kappa {fitted.kappa}"
    if fitted.peak is None:
        return f"{text}; no peak within the data."
    beyond = ", beyond what was measured" if fitted.peak.value > curve.n[-1] else ""
    return f"{text}; peak at N = {fitted.peak}{beyond}."


def three(rate_rps: float) -> str:
    """Three digits: a search is not more precise."""
    return count(round(float(f"{rate_rps:.3g}")))
