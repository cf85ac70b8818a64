"""Replaces a regular file with a whole one, or not at all. Devices and FIFOs are written in place. Follows links.

Raises OSError. As tools/atomic_file.py: no tool imports a service.
"""

import os
import stat
import tempfile
from pathlib import Path

_DESCRIPTORS = ("/dev/fd/", "/proc/", "/dev/stdout", "/dev/stderr")
"""What these name is open already, perhaps as a regular file: another file in its place would get nothing more."""
_ERRORS = "surrogateescape"
"""A path that was read under an ASCII locale is written with the bytes that it has."""


def check_writable(path: Path) -> None:
    """Checks before a run that its result can be written. Opens no FIFO: that would wait for a reader."""
    if path.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(path))
    if not _is_replaced(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(13, "Permission denied", str(path))
        return
    try:
        tempfile.TemporaryFile(dir=path.resolve().parent).close()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_whole(path: Path, text: str) -> None:
    """A reader of a regular file sees the old content or the new one, also during the writing and after a crash."""
    if not _is_replaced(path):
        with path.open("a", encoding="utf-8", errors=_ERRORS) as file:
            file.write(text)
        return
    # A link stays: what it leads to is replaced. In that folder, because a rename is atomic only within one file
    # system (rename(2)).
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8", errors=_ERRORS) as file:  # noqa: PTH123  (a descriptor)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private to its maker; a result is for everyone the folder is for.
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _is_replaced(path: Path) -> bool:
    """Whether it is a regular file, or will be one."""
    try:
        return stat.S_ISREG(path.stat().st_mode) and not str(path.absolute()).startswith(_DESCRIPTORS)
    except FileNotFoundError:
        return True
