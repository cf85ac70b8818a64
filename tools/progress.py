"""Progress of a run of many parts: a line for each that has ended, and in a terminal a bar below them.

Both show an estimate of the time left: the mean time of the parts that have ended, and before that the expected time.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from tools.units import rest


class Progress:
    """Must not know what the parts are."""

    def __init__(
        self, console: Console, wanted: int, expected_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`expected_s` is what each part is expected to take."""
        self._wanted = wanted
        self._expected_s = expected_s
        self._clock = clock
        self._begun_s = clock()
        self._done = 0
        self._on_terminal = console.is_terminal
        # Twice a second: drawing takes time from the driver, which has the same processor.
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            refresh_per_second=2,
            transient=True,
            disable=not self._on_terminal,
        )
        self._task = self._bar.add_task("starting", total=wanted, left=self._left())

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def at_hand(self, what: str) -> None:
        """Names the part that runs, beside the bar."""
        self._bar.update(self._task, description=what, left=self._left())

    def note(self, line: str) -> None:
        """A line about the part that runs."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def more(self, parts: int) -> None:
        """This many further parts follow."""
        self._wanted += parts
        self._bar.update(self._task, total=self._wanted, left=self._left())

    def left_out(self, line: str) -> None:
        """A line for a part that does not run. It does not count, else the others would seem to be fast."""
        self.note(line)
        self._wanted -= 1
        self._bar.update(self._task, total=self._wanted, left=self._left())

    def part_ended(self) -> None:
        """One more part has ended, without a line."""
        self._done += 1
        self._bar.update(self._task, completed=self._done, left=self._left())

    def ended(self, line: str) -> None:
        """A line for the part that has just ended."""
        self._done += 1
        place = f"{self._done:>{len(str(self._wanted))}}/{self._wanted}"
        left = f"  ({self._left()})" if self._done < self._wanted and not self._on_terminal else ""
        self.note(f"{place}  {line}{left}")
        self._bar.update(self._task, completed=self._done, left=self._left())

    def _left(self) -> str:
        each_s = (self._clock() - self._begun_s) / self._done if self._done else self._expected_s
        return f"{rest(each_s * max(0, self._wanted - self._done))} left"
