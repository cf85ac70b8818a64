"""The figures of a check, each printed beside the required one."""

import os
from dataclasses import dataclass, field

import pytest


@dataclass(slots=True)
class Figures:
    """What one check has measured."""

    capsys: pytest.CaptureFixture[str]
    missed: list[str] = field(default_factory=list)
    """One line for each figure that is not as required."""

    def check(self, what: str, got: str, required: str, *, reached: bool) -> None:
        """Prints a figure, what it must be, and the load average: a busy machine explains many a miss."""
        load = os.getloadavg()[0]
        line = f"{what}: {got} (required: {required})"
        if not reached:
            self.missed.append(line)
        with self.capsys.disabled():
            print(f"\n{'ok    ' if reached else 'MISSED'} {line}   load average {load:.1f}", end="")

    def note(self, what: str) -> None:
        """Prints what has no requirement."""
        with self.capsys.disabled():
            print(f"\n       {what}", end="")
