"""Programs of others, which a person installs. Must not know what they are for."""

import shutil
from pathlib import Path

from tools.local import LocalError

BUILT = Path(__file__).parent.parent / "build" / "testers"
"""Where `make testers` installs programs that are written in Go."""


def program_path(program: str, install: str) -> str:
    """The program's path. Raises LocalError, which ends with `install`: what to do if it is missing."""
    # Debian puts servers where only root's PATH looks.
    for path in (None, "/usr/sbin:/sbin", str(BUILT)):
        if found := shutil.which(program, path=path):
            return found
    raise LocalError(f"{program} is not installed: {install}")
