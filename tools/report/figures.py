"""What each figure of the report shows over the number of connections. Must not know HTML."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tools import measures
from tools.report.curve import percentile_curve
from tools.report.folder import Contents
from tools.report.plots import axis, curves
from tools.report.plots.axis import Axis
from tools.report.plots.curves import Line, Point
from tools.report.plots.figure import Figure, View
from tools.results import Trial
from tools.units import count, duration, share, three_digits

PERCENTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}

Text = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a trial."""

    label: str
    title: str
    """With its unit, and what is better."""
    value: Callable[[Trial], float | None]
    text: Text
    log: bool = False
    is_bound: Callable[[Trial], bool] = lambda _: False
    """The number is more than `value`."""


def figures(contents: Contents) -> tuple[list[Figure], list[str]]:
    """Every figure of the report, and a line for each histogram that could not be decoded."""
    if not contents.trials:
        return [], []
    distribution, problems = _distribution(contents)

    def figure(
        name: str, title: str, caption: str, chooser: str, measured: Iterable[Measure], *, selected: int = 0
    ) -> Figure:
        views = [_over_connections(contents, title, each) for each in measured]
        return Figure(name, title, caption, chooser, views, selected)

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
            "Calls answered OK, and the share of calls that failed.",
            "Calls",
            [
                Measure("answered", "calls/s (higher is better)", measures.rate_rps, lambda value: count(round(value))),
                Measure("failed", "share of calls (lower is better)", measures.failed_share, _share),
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
        distribution,
        figure(
            "memory",
            "Memory",
            "Proportional set size of all processes of the service at the end of the trial.",
            "Memory",
            [
                Measure(
                    "total", "MiB (lower is better)", lambda trial: _scaled(measures.pss_bytes(trial), 1024**2), _mib
                ),
                Measure("per connection", "for each added connection (lower is better)", per_connection, _kib),
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


def _percentile(key: str, label: str) -> Measure:
    def value(trial: Trial) -> float | None:
        known = measures.latency(trial, key)
        return None if known is None else known.ns

    def is_bound(trial: Trial) -> bool:
        known = measures.latency(trial, key)
        return known is not None and known.is_bound

    return Measure(label, f"{label} (lower is better)", value, duration, log=True, is_bound=is_bound)


def _per_call(label: str, unit: str, text: Text, *counters: str) -> Measure:
    return Measure(label, f"{unit} (lower is better)", lambda trial: measures.per_call(trial, *counters), text)


def _over_connections(contents: Contents, title: str, measure: Measure) -> View:
    of = {(trial.arm, trial.connections): measure.value(trial) for trial in contents.trials}
    bounds = {(trial.arm, trial.connections) for trial in contents.trials if measure.is_bound(trial)}

    def point(arm: str, connections: int) -> Point:
        value = of.get((arm, connections))
        more = "> " if (arm, connections) in bounds else ""
        return Point(connections, value, text="" if value is None else more + measure.text(value))

    lines = [
        Line(arm, family, [point(arm, number) for number in contents.connections])
        for arm, family in contents.families.items()
    ]
    known = [value for value in of.values() if value is not None]
    plot = curves.draw(
        lines,
        x=axis.marked([(number, count(number)) for number in contents.connections], log=True),
        y=axis.logarithmic(known, measure.text) if measure.log else axis.linear(known, measure.text),
        title=f"{title}, {measure.label}",
        x_title="connections",
        y_title=measure.title,
    )
    return View(measure.label, plot)


def _distribution(contents: Contents) -> tuple[Figure, list[str]]:
    views, problems = [], []
    for connections in contents.connections:
        lines = []
        for trial in contents.trials:
            if trial.connections != connections or not trial.result["latency_ns"]["histogram"]:
                continue
            try:
                curve = percentile_curve(trial.result["latency_ns"]["histogram"], measures.answered_share(trial))
            except ValueError as error:
                problems.append(f"{trial.arm} at {count(connections)} connections: latency histogram: {error}")
                continue
            points = [_slower(one_in, ns) for one_in, ns in curve]
            lines.append(Line(trial.arm, contents.families[trial.arm], points))
        plot = curves.draw(
            lines,
            x=_odds([point.x for line in lines for point in line.points]),
            y=axis.logarithmic((point.y for line in lines for point in line.points if point.y), duration),
            title=f"Latency distribution at {count(connections)} connections",
            x_title="share of calls that took this long or less",
            y_title="latency (lower is better)",
        )
        views.append(View(f"{count(connections)} conn.", plot))
    return Figure(
        "distribution",
        "Latency distribution",
        "How slow the slowest calls are: at 99 %, one call in a hundred took longer or got no answer. Ends at the "
        "slowest answer.",
        "Connections",
        views,
        selected=len(views) - 1,
    ), problems


def _slower(one_in: float, ns: float) -> Point:
    """A point of the distribution, with its value at 0, 90, 99 % and so on."""
    decade = abs(one_in - float(f"1e{len(str(round(one_in))) - 1}")) < 1e-6 * one_in
    return Point(one_in, ns, text=duration(ns) if decade else "")


def _odds(odds: list[float]) -> Axis:
    """From 0 % on, one tick for each further 9."""
    highest = max(odds, default=10.0)
    ticks = [(10.0**digits, "0 %" if not digits else f"{100 - 100 / 10**digits:.7g} %") for digits in range(8)]
    return Axis(1.0, highest, tuple(tick for tick in ticks if tick[0] <= highest), log=True)


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _share(value: float) -> str:
    return share(value) if value else "0"


def _mib(value: float) -> str:
    return f"{three_digits(value)} MiB"


def _kib(value: float) -> str:
    return f"{three_digits(value)} KiB"
