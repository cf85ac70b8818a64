"""What each style of a handler costs, as tables. The figures are the styles' own; here they only become readable."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.local import Programs, json_of
from tools.units import duration, size

MEASURING_TIMEOUT_S = 120.0

Costs = dict[str, Any]
"""Style -> its costs, as `python -m services.workload.costs` prints them."""
Column = tuple[str, Callable[[Any], str]]

_CODE: Sequence[Column] = (
    ("lines", lambda cost: str(cost["code"]["lines"])),
    ("functions", lambda cost: str(cost["code"]["functions"])),
    ("of a call", lambda cost: str(cost["code"]["functions_of_a_call"])),
    ("entered", lambda cost: str(cost["code"]["entries_of_a_call"])),
    ("by hand", lambda cost: str(cost["code"]["saved_by_hand"])),
    ("captured", lambda cost: str(cost["code"]["captured"])),
)
_CHANGE: Sequence[Column] = (
    ("in the handler", lambda cost: str(cost["lines_to_change"]["handler"])),
    ("3 calls deep", lambda cost: str(cost["lines_to_change"]["chain"])),
)
_WAITING: Sequence[Column] = (
    ("allocated", lambda cost: size(cost["suspended"]["allocated_bytes"])),
    ("in memory", lambda cost: size(cost["suspended"]["resident_bytes"])),
    ("reserved", lambda cost: size(cost["suspended"]["reserved_bytes"])),
)


def measure(programs: Programs, *parts: str) -> Costs:
    """Measures these parts, `code` or `stacks`, or all without one. It takes some seconds. Raises LocalError."""
    costs: Costs = json_of("styles", [*programs.costs, *parts], MEASURING_TIMEOUT_S)
    return costs


def show(console: Console, costs: Costs) -> None:
    """All of it in 80 columns."""
    depths: list[str] = list(next(iter(costs.values()))["resume_ns"])
    resumes = [(depth, _resume_at(depth)) for depth in depths]
    for title, columns, note in (
        (
            "The handler's code",
            _CODE,
            "Functions written; of those, how many a call with two waits comes through, and\n"
            "how often it enters one. Fields that one function saves by hand for the next,\n"
            "and variables that closures keep for it.",
        ),
        (
            "Lines to change for one more wait",
            _CHANGE,
            "After each step of work; and in the last of three plain functions that call each\n"
            "other. Added, removed and changed lines count once.",
        ),
        (
            "Memory of one call that waits",
            _WAITING,
            "What Python allocated, what the kernel holds in memory, what is reserved of the\n"
            "address space. Only the last two see the stack of a thread.",
        ),
        (
            "Time to resume what waits, and have it wait again, by depth of calls",
            resumes,
            "So many functions wait for each other, and the last one is resumed. A thread is\n"
            "resumed by another one. On a busy machine these times are too long.",
        ),
    ):
        console.print(_table(title, costs, columns))
        console.print(f"{note}\n", markup=False, style="dim")


def _resume_at(depth: str) -> Callable[[Any], str]:
    return lambda cost: duration(cost["resume_ns"][depth])


def _table(title: str, costs: Costs, columns: Sequence[Column]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("style", no_wrap=True)
    for heading, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for style, cost in costs.items():
        table.add_row(style, *(value(cost) for _, value in columns))
    return table
