"""A temporary folder. It is removed at the end of the block, and also when this process is killed."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REMOVE_AT_END = "import shutil, sys; sys.stdin.read(); shutil.rmtree(sys.argv[1], ignore_errors=True)"
"""The other end of its input closes when this process ends, however it ends."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Raises OSError."""
    folder = tempfile.mkdtemp(prefix="sweetspot-")
    # In a session of its own: a Ctrl-C in the terminal is not for it.
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _REMOVE_AT_END, folder], stdin=subprocess.PIPE, start_new_session=True
    ):
        yield Path(folder)
