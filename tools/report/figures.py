"""What the curves of the report show along an axis of the load. Must not know HTML."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tools import measures
from tools.report.axes import WORDS, CurveGroup, along, groups
from tools.report.distribution import distribution
from tools.report.folder import Contents
from tools.report.plots import axis, curves
from tools.report.plots.axis import NumberText
from tools.report.plots.curves import CurveLine, CurvePoint
from tools.report.plots.figure import PlotFigure, View
from tools.results import Trial
from tools.standings import Standing
from tools.stats.estimate import Estimate
from tools.units import count, duration, share, three_digits

PERCENTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}

PER_CONNECTION = "for each added connection (lower is better)"


@dataclass(frozen=True, slots=True)
class CurveMeasure:
    """One number of an arm at a point."""

    label: str
    title: str
    """With its unit, and what is better."""
    value: Callable[[Trial], float | None]
    text: NumberText
    log: bool = False
    is_bound: Callable[[Trial], bool] = lambda _: False
    """The number is more than `value`."""
    interval: Callable[[Standing], Estimate | None] = lambda _: None
    """The interval of the number; None if its ends are not known."""
    is_figure: Callable[[Standing], bool] = lambda _: True
    """Whether the arm has such a figure there. If not, its curve has a gap."""


@dataclass(frozen=True, slots=True)
class Plots:
    """Figures of one set of curves."""

    label: str
    """The values of the other axes; empty if there are none."""
    figures: Sequence[PlotFigure]


def plots(contents: Contents) -> tuple[list[Plots], list[str]]:
    """Every set of curves, and a line for each histogram that could not be decoded."""
    if not contents.trials:
        return [], []
    found, problems = [], []
    for number, group in enumerate(groups(contents.asked)):
        made, unread = _figures(contents, group, f"-at{number}" if number else "")
        found.append(Plots(group.label, made))
        problems += unread
    return found, problems


def _figures(contents: Contents, group: CurveGroup, suffix: str) -> tuple[list[PlotFigure], list[str]]:
    """`suffix` makes the names of figures of several groups unique."""
    distributed, problems = distribution(contents, group, suffix)
    over = along(contents.asked)
    if over is None:
        return [distributed], problems
    plotted = _AxisCurves(contents, group, over)

    def figure(
        name: str, title: str, caption: str, chooser: str, measured: Iterable[CurveMeasure], *, selected: int = 0
    ) -> PlotFigure:
        return PlotFigure(
            f"{name}{suffix}", title, caption, chooser, [plotted.view(title, each) for each in measured], selected
        )

    fewest = {
        arm: min((trial for trial in contents.trials if trial.arm == arm), key=lambda trial: trial.connections)
        for arm in {trial.arm for trial in contents.trials}
    }

    def per_connection(trial: Trial) -> float | None:
        return _scaled(measures.pss_per_connection_bytes(trial, fewest[trial.arm]), 1024)

    return [
        figure(
            "throughput",
            "Throughput",
            "Calls answered OK, and the share of calls that failed. A bar is a 95 % interval. An arm has no rate while "
            "it starts up, or where it serves fewer clients than others.",
            "Calls",
            [
                CurveMeasure(
                    "answered",
                    "calls/s (higher is better)",
                    measures.rate_rps,
                    lambda value: count(round(value)),
                    interval=lambda one: one.rate,
                    is_figure=lambda one: one.rate is not None or not measures.rate_rps(one.trial),
                ),
                CurveMeasure("failed", "share of calls (lower is better)", measures.failed_share, _share),
            ],
        ),
        figure(
            "latency",
            "Latency",
            "From the intended send to the reply. Calls without an answer are slower. The scale is logarithmic.",
            "Percentile",
            [_percentile(key, label) for key, label in PERCENTILES.items()],
            selected=list(PERCENTILES).index("p99"),
        ),
        distributed,
        figure(
            "memory",
            "Memory",
            "Proportional set size of all processes of the service at the end of the trial.",
            "Memory",
            [
                CurveMeasure(
                    "total", "MiB (lower is better)", lambda trial: _scaled(measures.pss_bytes(trial), 1024**2), _mib
                ),
                *(
                    [CurveMeasure("per connection", PER_CONNECTION, per_connection, _kib)]
                    if over == "connections"
                    else []
                ),
            ],
        ),
        figure(
            "switches",
            "Context switches per call",
            "Voluntary: a thread gave up the processor to wait. Involuntary: the kernel interrupted it.",
            "Switches",
            [
                _per_call("voluntary", "switches/call", three_digits, "voluntary_switches"),
                _per_call("involuntary", "switches/call", three_digits, "involuntary_switches"),
            ],
        ),
        figure(
            "cpu",
            "CPU per call",
            "CPU time of all processes of the service for each call answered OK.",
            "CPU time",
            [
                _per_call("total", "CPU time/call", duration, "cpu_user_ns", "cpu_system_ns"),
                _per_call("user", "CPU time/call", duration, "cpu_user_ns"),
                _per_call("system", "CPU time/call", duration, "cpu_system_ns"),
            ],
        ),
    ], problems


def _percentile(key: str, label: str) -> CurveMeasure:
    def value(trial: Trial) -> float | None:
        known = measures.latency(trial, key)
        return None if known is None else known.ns

    def is_bound(trial: Trial) -> bool:
        known = measures.latency(trial, key)
        return known is not None and known.is_bound

    return CurveMeasure(label, f"{label} (lower is better)", value, duration, log=True, is_bound=is_bound)


def _per_call(label: str, unit: str, text: NumberText, *counters: str) -> CurveMeasure:
    return CurveMeasure(label, f"{unit} (lower is better)", lambda trial: measures.per_call(trial, *counters), text)


@dataclass(frozen=True, slots=True)
class _AxisCurves:
    """One set of curves."""

    contents: Contents
    group: CurveGroup
    over: str
    """The axis."""

    def view(self, title: str, measure: CurveMeasure) -> View:
        """The curves of one measure."""
        words = WORDS[self.over]
        at = {one.point.name: one.standings for one in self.contents.points}
        places = [(point, point.values[self.over]) for point in self.group.points if self.over in point.values]
        numbers = sorted({place for _, place in places})
        # A logarithmic axis has no 0: log(1 + x).
        is_wide, shift = numbers[-1] >= 10 * (numbers[0] or 1), 0 if numbers[0] else 1
        drawn = {
            (one.arm, point.name): _point(one, place + shift, measure)
            for point, place in places
            for one in at.get(point.name, ())
        }
        lines = [
            CurveLine(
                arm, family, [drawn.get((arm, point.name), CurvePoint(place + shift, None)) for point, place in places]
            )
            for arm, family in self.contents.families.items()
        ]
        ends = [end for point in drawn.values() for end in (point.y, point.low, point.high) if end is not None]
        plot = curves.draw(
            lines,
            x=axis.marked([(number + shift, words.tick(number)) for number in numbers], log=is_wide),
            y=axis.logarithmic(ends, measure.text) if measure.log else axis.linear(ends, measure.text),
            title=f"{title}, {measure.label}{_at(self.group)}",
            x_title=words.title,
            y_title=measure.title,
        )
        return View(measure.label, plot)


def _point(one: Standing, place: float, measure: CurveMeasure) -> CurvePoint:
    value = measure.value(one.trial)
    if value is None or not measure.is_figure(one):
        return CurvePoint(place, None)
    known = measure.interval(one)
    low, high = (known.low, known.high) if known else (None, None)
    more = "> " if measure.is_bound(one.trial) else ""
    return CurvePoint(place, value, low, high, text=more + measure.text(value))


def _at(group: CurveGroup) -> str:
    return f" at {group.label}" if group.label else ""


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _share(value: float) -> str:
    return share(value) if value else "0"


def _mib(value: float) -> str:
    return f"{three_digits(value)} MiB"


def _kib(value: float) -> str:
    return f"{three_digits(value)} KiB"
