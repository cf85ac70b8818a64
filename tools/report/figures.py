"""What each plot shows, as data; how it is drawn is the page's script. Must not know HTML.

A plot has one or more views, of which one is shown at a time; a view has one line a model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools import measures
from tools.report.curve import percentile_curve
from tools.report.folder import Contents
from tools.results import Trial
from tools.units import count, duration, share, size, three_digits

PERCENTILE_LABELS = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}

Value = Callable[[Trial], float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One model's points; a y that is None is a gap in the line, never a zero."""

    model: str
    x: list[float]
    y: list[float | None]
    text: list[str]
    """Each y with its unit, for the pointer."""


@dataclass(frozen=True, slots=True)
class View:
    """One thing that a plot can show."""

    label: str
    y_title: str
    log: bool
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure of the report."""

    name: str
    title: str
    caption: str
    x_title: str
    x_hover: str
    """Plotly template for the pointer's x."""
    x_ticks: list[tuple[float, str]]
    chooser: str
    """What choosing a view chooses."""
    views: list[View]
    selected: int = 0


def plots(contents: Contents) -> tuple[list[Plot], list[str]]:
    """Every plot of the report, and a line for each histogram that could not be decoded."""
    distribution, problems = _distribution(contents)

    def over_connections(
        name: str, title: str, caption: str, views: list[View], *, chooser: str = "", selected: int = 0
    ) -> Plot:
        ticks = [(float(number), count(number)) for number in contents.connections]
        return Plot(name, title, caption, "connections", "%{x:,} connections", ticks, chooser, views, selected)

    def view(
        label: str, y_title: str, value: Value, text: Callable[[float], str], *, scale: float = 1, log: bool = False
    ) -> View:
        return View(label, y_title, log, [_line(contents, model, value, text, scale) for model in contents.models])

    def per_call(*counters: str) -> Value:
        return lambda trial: measures.per_call(trial, *counters)

    fewest = {model: min(ours, key=lambda trial: trial.connections) for model, ours in _by_model(contents).items()}
    return [
        over_connections(
            "throughput",
            "Throughput",
            "Calls answered OK, a second (higher is better), and the share of calls that failed (lower is better).",
            [
                view("answered", "calls/s", measures.rate_rps, lambda value: f"{count(round(value))} calls/s"),
                view("failed", "% of calls", measures.failed_share, share, scale=100),
            ],
            chooser="Calls",
        ),
        over_connections(
            "latency",
            "Latency",
            "From the intended send to the reply, of calls answered OK. Lower is better; mind the log scale.",
            [
                view(label, "ms", _percentile(key), duration, scale=1e-6, log=True)
                for key, label in PERCENTILE_LABELS.items()
            ],
            chooser="Percentile",
            selected=list(PERCENTILE_LABELS).index("p99"),
        ),
        distribution,
        over_connections(
            "memory",
            "Memory",
            "Proportional set size of all processes of the service at the end of the trial. Lower is better.",
            [
                view("total", "MiB", measures.pss_bytes, size, scale=1 / 1024**2),
                view(
                    "per connection",
                    "KiB for each added connection",
                    lambda trial: measures.pss_per_connection_bytes(trial, fewest[trial.arm]),
                    size,
                    scale=1 / 1024,
                ),
            ],
            chooser="Memory",
        ),
        over_connections(
            "switches",
            "Context switches per call",
            "Voluntary: a thread gave up the processor to wait. Involuntary: it was put off. Lower is better.",
            [
                view("voluntary", "switches/call", per_call("voluntary_switches"), three_digits),
                view("involuntary", "switches/call", per_call("involuntary_switches"), three_digits),
            ],
            chooser="Switches",
        ),
        over_connections(
            "cpu",
            "CPU per call",
            "CPU time of all processes of the service for each call answered OK. Lower is better.",
            [
                view("total", "µs/call", per_call("cpu_user_ns", "cpu_system_ns"), duration, scale=1e-3),
                view("user", "µs/call", per_call("cpu_user_ns"), duration, scale=1e-3),
                view("system", "µs/call", per_call("cpu_system_ns"), duration, scale=1e-3),
            ],
            chooser="CPU time",
        ),
    ], problems


def _distribution(contents: Contents) -> tuple[Plot, list[str]]:
    views, problems = [], []
    for connections in contents.connections:
        lines = []
        for trial in contents.trials:
            if trial.connections != connections or not trial.result["latency_ns"]["histogram"]:
                continue
            try:
                curve = percentile_curve(trial.result["latency_ns"]["histogram"])
            except ValueError as error:
                problems.append(f"{trial.arm} at {count(connections)} connections: latency histogram: {error}")
                continue
            lines.append(
                Line(
                    trial.arm,
                    [one_in for one_in, _ in curve],
                    [ns / 1e6 for _, ns in curve],
                    [duration(ns) for _, ns in curve],
                )
            )
        views.append(View(count(connections), "ms", True, lines))
    plot = Plot(
        name="distribution",
        title="Latency distribution",
        caption="How slow the slowest calls are: at 99 %, one call in a hundred took longer. Ends at the slowest call.",
        x_title="calls at or below",
        x_hover="one call in %{x:,.3~r} is slower",
        x_ticks=[(10.0**digits, "0 %" if not digits else _percent(1 - 10.0**-digits)) for digits in range(8)],
        chooser="Connections",
        views=views,
        selected=len(views) - 1,
    )
    return plot, problems


def _percent(fraction: float) -> str:
    return f"{float(f'{fraction * 100:.7g}'):g} %" if fraction > 0.9 else f"{fraction * 100:.0f} %"


def _percentile(key: str) -> Value:
    return lambda trial: measures.latency_ns(trial, key)


def _by_model(contents: Contents) -> dict[str, list[Trial]]:
    return {
        model: ours for model in contents.models if (ours := [trial for trial in contents.trials if trial.arm == model])
    }


def _line(contents: Contents, model: str, value: Value, text: Callable[[float], str], scale: float) -> Line:
    ours = {trial.connections: trial for trial in contents.trials if trial.arm == model}
    values: Sequence[float | None] = [
        value(ours[number]) if number in ours else None for number in contents.connections
    ]
    return Line(
        model,
        [float(number) for number in contents.connections],
        [None if known is None else known * scale for known in values],
        ["" if known is None else text(known) for known in values],
    )
