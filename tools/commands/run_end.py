"""How a long command ends: by itself or by a signal, and with which exit status."""

import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tools import local
from tools.status import FAILED, INTERRUPTED


@dataclass(frozen=True, slots=True)
class RunTally:
    """The outcome of a run, in numbers."""

    things: str
    """Trials, or cells."""
    found: int
    wanted: int
    missing: int
    failed: int
    void: int = 0
    """Those that a check rejects (tools/checks.py)."""


def exit_status(tally: RunTally, again_by: str, interrupted: bool) -> int:
    """The exit status, and on stderr what is missing. `again_by` is the command that continues."""
    again = f"; to run the {tally.missing} missing: {again_by}" if tally.missing else ""
    if interrupted:
        print(f"sweetspot: interrupted; {tally.found} finished {tally.things} are stored{again}", file=sys.stderr)
        return INTERRUPTED
    of_all = f"of {tally.wanted} {tally.things}"
    lacks = [f"{tally.failed} {of_all} failed"] if tally.failed else []
    if tally.void:
        verb = "is" if tally.void == 1 else "are"
        lacks.append(f"{tally.void} {of_all} {verb} void")
    if lacks:
        print(f"sweetspot: {'; '.join(lacks)}{again}", file=sys.stderr)
    # A busy machine is no fault of the command: what it could do it has done.
    return FAILED if tally.failed else 0


def to_its_end(work: Callable[[], None]) -> bool:
    """Does it; whether it was interrupted."""
    try:
        with _interruptible():
            work()
    except KeyboardInterrupt:
        return True
    return False


def resume_command(folder: Path) -> str:
    """As it can be pasted: `make` calls what is in .venv, which need not be on the path."""
    command = "sweetspot" if shutil.which("sweetspot") else str(Path(sys.executable).with_name("sweetspot"))
    return shlex.join([command, "run", "--resume", str(folder)])


@contextmanager
def _interruptible() -> Iterator[None]:
    """The first signal to end is a KeyboardInterrupt; further ones do not disturb the stopping of what was started."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in local.ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        local.INTERRUPTED.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in local.ENDING_SIGNALS}
    try:
        yield
    finally:
        local.INTERRUPTED.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
