"""What a person sees of a bench: goals as asked and got, and the figures that they are made of.

Must not know how anything is measured.
"""

from collections.abc import Callable, Sequence
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tools.bench.goals import GoalResult, Idle, Measurement, to_reactor

UNKNOWN = "-"

_SAID: dict[str, Callable[[float], str]] = {
    "times": lambda value: f"{value:.1f}x",
    "share": lambda value: f"{value:.0%}",
    "KiB": lambda value: f"{value:.1f}",
}


def show(
    console: Console, results: Sequence[GoalResult], measurements: Sequence[Measurement], idle: Idle | None
) -> None:
    """Both tables, figures first, goals last, where a terminal shows them."""
    console.print(_figures(measurements))
    if idle is not None:
        before_mib, after_mib = idle.rss_before_bytes / 2**20, idle.rss_after_bytes / 2**20
        console.print(
            f"{idle.connections:,} idle connections: RSS of {idle.server} {before_mib:.1f} -> {after_mib:.1f} MiB\n"
        )
    console.print(_goals(results))


def _figures(measurements: Sequence[Measurement]) -> Table:
    table = _empty(
        "Medians of the rounds",
        "us/call: CPU time of all server processes. busy: share of their one CPU.\n"
        "The side near 100 % bounds the rate. If neither is near it,\n"
        "other processes use the machine.",
        ("server", "load"),
        ("calls/s", "spread", "reactor=1", "us/call", "busy", "generator", "busy"),
    )
    for subject in dict.fromkeys(each.subject for each in measurements):
        found = [each for each in measurements if each.subject == subject]
        rates = [each.rate_rps for each in found]
        ratio = to_reactor(subject, measurements)
        table.add_row(
            subject.served_by,
            str(subject.load),
            f"{median(rates):,.0f}",
            _spread(min(rates), max(rates), median(rates)),
            UNKNOWN if ratio is None else f"{ratio:.2f}",
            f"{median(each.server_cpu_us_per_call for each in found):.1f}",
            f"{median(each.server_busy for each in found):.0%}",
            subject.generator,
            f"{median(each.generator_busy for each in found):.0%}",
        )
    return table


def _goals(results: Sequence[GoalResult]) -> Table:
    table = _empty(
        "Goals",
        "got: median of the rounds' ratios of calls/s. spread: (highest - lowest) / got.\n"
        "by CPU: the same ratio of the servers' CPU time per call.",
        ("what", "load"),
        ("asked", "got", "spread", "by CPU", "reached"),
    )
    for each in results:
        said = _SAID[each.unit]
        table.add_row(
            f"{each.what} (KiB)" if each.unit == "KiB" else each.what,
            each.load,
            f"{'<=' if each.unit == 'KiB' else '>='} {said(each.asked)}",
            UNKNOWN if each.got is None else said(each.got),
            _spread(each.lowest, each.highest, each.got),
            UNKNOWN if each.by_cpu is None else said(each.by_cpu),
            {True: "yes", False: "NO", None: UNKNOWN}[each.reached],
            style=None if each.reached else "bold",
        )
    return table


def _spread(lowest: float | None, highest: float | None, middle: float | None) -> str:
    if lowest is None or highest is None or middle is None:
        return UNKNOWN
    return f"{(highest - lowest) / middle:.0%}"


def _empty(title: str, caption: str, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    # 80 columns hold it without padding.
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    for text in texts:
        table.add_column(text, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table
