"""A traced call as bars of text, a row for each span. Must not know which call is shown, nor why."""

from rich.console import Console
from rich.text import Text

from tools.claims.slowest_call import SlowestCall
from tools.units import duration

NAMES, BARS = 34, 48
"""Columns."""
STYLES = {
    "driver": "dim",
    "whole": "dim",
    "queue": "yellow",
    "running": "green",
    "waiting": "blue",
    "other": "dim",
    "another": "red",
}
"""By the role of a span, and of other calls."""


def show(console: Console, call: SlowestCall, arm: str) -> None:
    """The call and its median, a row for each span, and where its time went."""
    total_ns = call.shown.total_ns
    kind = f"{call.kind} call" if call.kind else "call"
    line = f"slowest {kind} of {arm}: {duration(call.shown.call.latency_ns)}; the median is {duration(call.median_ns)}"
    console.print(Text(f"\n{line}", style="bold"), soft_wrap=True)
    console.print(f"{'':{NAMES}}0{duration(total_ns):>{BARS - 1}}", style="dim", soft_wrap=True)
    rows = [
        *(
            (f"another call: {other.kind}".rstrip(": "), other.offset_ns, other.duration_ns, "another")
            for other in call.others
        ),
        *(
            (
                f"{'  ' * bar.depth}{bar.span.process}: {_short(bar.span.name)}",
                bar.offset_ns,
                bar.span.duration_ns,
                bar.role,
            )
            for bar in call.shown.bars
        ),
    ]
    for name, offset_ns, duration_ns, role in rows:
        text = Text(f"{name[: NAMES - 1]:{NAMES}}")
        text.append(_bar(offset_ns, duration_ns, total_ns), STYLES[role])
        text.append(f"  {duration(duration_ns)}")
        console.print(text, soft_wrap=True)
    if call.shown.account is not None:
        parts = (f"{name} {duration(ns)}" for name, ns in call.shown.account.parts().items() if ns)
        console.print(f"of it {', '.join(parts)}", soft_wrap=True, style="dim")


def _bar(offset_ns: float, duration_ns: float, total_ns: float) -> str:
    """At least one column, within the width; what ran before the call began is cut off."""
    begin = min(max(0, round(BARS * offset_ns / total_ns)), BARS - 1)
    end = min(max(begin + 1, round(BARS * (offset_ns + duration_ns) / total_ns)), BARS)
    return f"{'':{begin}}{'━' * (end - begin)}{'':{BARS - end}}"


def _short(name: str) -> str:
    """`sweetspot.v1.Workload/Run` is `Run`."""
    return name.rpartition("/")[2]
