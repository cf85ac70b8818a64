"""Services as real processes, for tests: started, asked where they listen, told to stop, looked at when they end."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

EXIT_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that listens; addresses are HOST:PORT."""

    process: "subprocess.Popen[str]"
    address: str
    control: str

    def stop(self) -> int:
        """Drains; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(EXIT_TIMEOUT_S)


@contextmanager
def serving(model: str, *options: str) -> Iterator[Serving]:
    """`python -m services MODEL`, until the block ends."""
    command = [sys.executable, "-m", "services", model, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first, second = process.stdout.readline(), process.stdout.readline()
            assert first.startswith("listening on "), first
            assert second.startswith("control on "), second
            yield Serving(process, first.split()[-1], second.split()[-1])
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(EXIT_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
