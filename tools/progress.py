"""Progress of a run of many parts: a line for each that has ended, and in a terminal a bar below them."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """Must not know what the parts are."""

    def __init__(self, console: Console, wanted: int) -> None:
        self._wanted = wanted
        self._done = 0
        # Twice a second: drawing takes time from the driver, which has the same processor.
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            refresh_per_second=2,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=wanted)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def at_hand(self, what: str) -> None:
        """Names the part that runs, beside the bar."""
        self._bar.update(self._task, description=what)

    def note(self, line: str) -> None:
        """A line about the part that runs."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def ended(self, line: str) -> None:
        """A line for the part that has just ended."""
        self._done += 1
        place = f"{self._done:>{len(str(self._wanted))}}/{self._wanted}"
        self._bar.console.print(f"{place}  {line}", markup=False, highlight=False, soft_wrap=True)
        self._bar.update(self._task, completed=self._done)
