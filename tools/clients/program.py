"""What a load program is: how its command is written for one run, and how its report is read."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.clients.request import EncodedRequest
from tools.installed_programs import program_path


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """One run of a program: a closed loop for `duration_s`, its warm-up included."""

    path: str
    """The path of the program."""
    address: str
    """HOST:PORT of the service."""
    request: EncodedRequest
    connections: int
    streams: int
    """Calls that are open at a time on each connection."""
    duration_s: float
    timeout_s: float
    """Time limit of a call."""
    folder: Path
    """An empty folder for files of this run."""


@dataclass(slots=True)
class CallLog:
    """What a program reported of its calls. The two lists have one entry for each call that was answered OK."""

    ended_ns: list[int] = field(default_factory=list)
    """Wall clock, nanoseconds since 1970."""
    latency_ns: list[int] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    """gRPC's status -> calls."""
    first_messages: dict[str, str] = field(default_factory=dict)
    """gRPC's status -> the message of the first such call."""
    reply_bytes: float | None = None
    """Mean size of a reply's body; None if the program reads the status of gRPC itself."""


@dataclass(frozen=True, slots=True)
class LoadProgram:
    """One row of `programs.py`."""

    name: str
    install: str
    """How to install it, as an instruction without a full stop."""
    command: Callable[[ProgramRun], list[str]]
    """Writes what the run needs into its folder."""
    read: Callable[[ProgramRun, Sequence[str]], CallLog]
    """Reads the report: the lines that were printed, and files of the folder. Raises LocalError."""

    def program_path(self) -> str:
        """The path of the program. Raises a LocalError if it is not installed, with how to install it."""
        return program_path(self.name, self.install)
