"""The countings: what a claim asks that no load decides. A module each, and here the one table of them.

A counting asks the programs themselves, and the tests call the same functions: what they prove is visible here as
numbers. Must not know claims, thresholds, verdicts, or how anything is shown.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.claims.counting import (
    cancels,
    dispatch,
    graphs,
    kernel,
    life,
    orders,
    rates,
    stages,
    structure,
    styles,
    toggles,
    trust,
)
from tools.local import Programs


@dataclass(frozen=True, slots=True)
class Counting:
    """One row."""

    title: str
    """The question that it answers."""
    count: Callable[[Programs], dict[str, Any]]
    """Nested numbers: a claim names one by its path, as `closures.code.functions`. Raises LocalError."""
    rounds: bool
    """Whether it is measured in each round. If not, it is exact and counted once."""
    cost_s: float
    """Of one count, on two quiet CPUs."""

    @property
    def code(self) -> Path:
        """The module that counts."""
        return Path(inspect.getfile(self.count))


COUNTINGS: dict[str, Counting] = {
    "styles": Counting("What does a handler's code look like in each style?", styles.code, rounds=False, cost_s=0.5),
    "stacks": Counting("What does a call that waits cost in each style?", styles.stacks, rounds=True, cost_s=4),
    "toggles": Counting("What becomes of calls while stages are switched?", toggles.count, rounds=False, cost_s=14),
    "structure": Counting(
        "What is each model made of, and do all answer alike?", structure.count, rounds=False, cost_s=30
    ),
    "life": Counting("Whose calls die with the process that runs one?", life.count, rounds=True, cost_s=20),
    "graphs": Counting("Do calls wait at the same points in every model?", graphs.count, rounds=False, cost_s=25),
    "orders": Counting("In how many orders do the same calls end?", orders.count, rounds=True, cost_s=8),
    "trust": Counting("What becomes of a call if its backend misbehaves?", trust.count, rounds=False, cost_s=1),
    "rates": Counting("Does a stage serve at its own rate, and slow no other?", rates.count, rounds=True, cost_s=45),
    "stages": Counting("What does one stage more cost a call?", stages.count, rounds=True, cost_s=30),
    "kernel": Counting("Which system calls does a call take?", kernel.count, rounds=False, cost_s=6),
    "dispatch": Counting("Does a handler depend on who dispatches it?", dispatch.count, rounds=False, cost_s=6),
    "cancels": Counting("What remains of calls that are cancelled?", cancels.count, rounds=True, cost_s=25),
}
