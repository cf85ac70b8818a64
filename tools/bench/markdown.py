"""The Markdown tables of docs/performance.md: what each model reaches, and what each does when it is full.

Must not know how anything is measured.
"""

from collections.abc import Iterable, Sequence
from statistics import median

from tools.bench.bounds import MOST_REJECTION_COST, Overload, bound
from tools.bench.goals import BUSY, FEW, MANY, Measurement, Subject

UNKNOWN = "-"


def rates(starts: Iterable[Sequence[str]], measurements: Sequence[Measurement]) -> list[str]:
    """A row for each model with options: calls/s and the CPU time of a call under each load, medians of the rounds."""
    loads = (FEW, BUSY, MANY)
    head = [f"calls/s at {load}" for load in loads] + [f"µs/call at {load}" for load in loads]
    rows = []
    for model, *options in starts:
        of_loads = [
            [each for each in measurements if each.subject == Subject(model, load, options=tuple(options))]
            for load in loads
        ]
        if any(of_loads):
            rates = [f"{median(each.rate_rps for each in found):,.0f}" if found else UNKNOWN for found in of_loads]
            cpu = [
                f"{median(each.server_cpu_us_per_call for each in found):.0f}" if found else UNKNOWN
                for found in of_loads
            ]
            rows.append([_named((model, *options)), *rates, *cpu])
    return _table(["model", *head], rows)


def when_full(overloads: Iterable[Overload]) -> list[str]:
    """A row for each model with options; bold is what is above its bound."""
    rows = [
        [
            _named(each.start),
            bound(each.start).room,
            bound(each.start).beyond,
            f"{each.in_flight:,}",
            f"{each.served_share:.0%}",
            f"{each.rejected_share:.0%}",
            _rejection(each),
            _bold(f"{each.growth:+.1%}", not each.is_flat) + f" of {each.rss_half_bytes / 2**20:.0f} MiB",
        ]
        for each in overloads
    ]
    head = [
        "model",
        "has room for",
        "the next call",
        "in flight",
        "still served",
        "rejected",
        "rejection cost",
        "memory",
    ]
    return _table(head, rows)


def _rejection(each: Overload) -> str:
    cost, in_echoes = each.rejection_cost, each.rejection_cost_in_echoes
    if cost is None or in_echoes is None:
        return UNKNOWN
    dear = cost > MOST_REJECTION_COST
    return f"{each.rejection_cpu_us:.0f} µs: " + _bold(f"{cost:.1%}", dear) + f", {in_echoes:.0%} of an echo"


def _named(start: Sequence[str]) -> str:
    return " ".join(start)


def _bold(text: str, so: bool) -> str:
    return f"**{text}**" if so else text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
