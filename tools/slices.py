"""The driver's process that loads services in turn: commands and answers as JSON lines (services/driver/slices.py).

Must not know what is loaded, or why.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tools.local import LateError, LocalError, Process, Programs, started

OPENING_TIMEOUT_S = 60.0
"""For the driver to start and to open connections; it gives up sooner."""
GRACE_S = 30.0
"""For what the driver bounds itself: the wait for last calls, and a result."""


class DriverLostError(LocalError):
    """A driver that has ended, or had to be ended, while it loaded another service."""


class AddressRefusedError(LocalError):
    """A service that runs, but accepts no connection in the driver's time. That is a property of its model."""


class SliceDriver:
    """One process. Each method raises LocalError, with the driver's reason if it rejects a command."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._opened: set[str] = set()

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.has_ended()

    def check(self, arguments: Sequence[str]) -> None:
        """Reads flags and plan as `open` would, and opens nothing."""
        self._ask({"do": "check", "name": "flags", "arguments": list(arguments)}, OPENING_TIMEOUT_S)

    def open(self, name: str, arguments: Sequence[str]) -> int:
        """Opens connections, with the flags of `python -m services.driver`. Returns how many are open."""
        opened: int = self._ask({"do": "open", "name": name, "arguments": list(arguments)}, OPENING_TIMEOUT_S)[
            "connections"
        ]
        self._opened.add(name)
        return opened

    def slice(self, name: str, *, warmup_s: float, duration_s: float, seed: int, timeout_s: float) -> Mapping[str, Any]:
        """Loads the services of those connections. No call takes longer than `timeout_s`. Returns the slice."""
        command = {"do": "slice", "name": name, "warmup_s": warmup_s, "duration_s": duration_s, "seed": seed}
        made: Mapping[str, Any] = self._ask(command, warmup_s + duration_s + timeout_s + GRACE_S)["slice"]
        return made

    def close(self, name: str) -> dict[str, Any] | None:
        """Closes the connections. Returns the result of all slices together; None without a slice."""
        self._opened.discard(name)
        result: dict[str, Any] | None = self._ask({"do": "close", "name": name}, GRACE_S)["result"]
        return result

    def drop(self, name: str) -> None:
        """Closes the connections if an error has left them open. Raises nothing."""
        if name in self._opened and not self.ended:
            with suppress(LocalError):
                self.close(name)

    def _ask(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        if self.ended:
            raise DriverLostError("driver: it exited and closed all connections of this block")
        try:
            answer: dict[str, Any] = json.loads(self._process.ask(json.dumps(command), timeout_s))
        except (LateError, KeyboardInterrupt):
            # Its next answer would be that of this command.
            self._process.stop()
            raise
        if "refused" in answer:
            refused = AddressRefusedError if command["do"] == "open" else LocalError
            raise refused(f"driver: {answer['why']}")
        return answer


@contextmanager
def slice_driver(programs: Programs) -> Iterator[SliceDriver]:
    """The process for as long as the block lasts. Raises LocalError."""
    with started("driver", programs.slices, answers=True) as process:
        yield SliceDriver(process)
