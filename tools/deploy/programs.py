"""Runs programs of others, each with a time limit. Must not know what for."""

import shutil
import subprocess
from collections.abc import Sequence

ASK_TIMEOUT_S = 20.0
"""For commands that change nothing."""


class DeployError(Exception):
    """Why a command cannot be done: the object that it is about, and the next command to try. One line, or few."""


class ProgramError(DeployError):
    """A program failed; `output` is its standard error."""

    def __init__(self, command: Sequence[str], output: str) -> None:
        self.output = output.strip()
        super().__init__(f"{' '.join(command[:3])}: {last_line(self.output)}")


def have(program: str) -> bool:
    """Whether it is on the PATH."""
    return shutil.which(program) is not None


def need(program: str, next_step: str) -> None:
    """Raises DeployError if it is not on the PATH."""
    if not have(program):
        raise DeployError(f"{program} is not on the PATH; {next_step}")


def ask(*command: str, timeout_s: float = ASK_TIMEOUT_S) -> str:
    """Returns what the program prints. Raises ProgramError, also if it does not end in time."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProgramError(command, f"no answer in {timeout_s:.0f} s") from None
    if done.returncode:
        raise ProgramError(command, done.stderr or done.stdout)
    return done.stdout


def last_line(text: str) -> str:
    """The last line that is not empty: programs print their error last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"
