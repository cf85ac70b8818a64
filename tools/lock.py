"""One command at a time works in a results folder: two would measure each other, and write over each other's trials."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.status import PlainError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes the folder where it is missing, and has it for as long as the block lasts. Raises PlainError.

    The lock ends with the process, however that ends (flock(2)): nothing is left that a person has to remove.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise PlainError(f"{folder}: cannot be written: {error.strerror}") from error
    try:
        _lock(folder, descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PlainError(f"{folder}: {_holder(descriptor)} uses this folder: wait until it ends, or stop it") from None
    except OSError as error:
        # NFS locks no folder that is open only for reading (flock(2)): other processes are not stopped there.
        if error.errno not in (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP):
            raise


def _holder(descriptor: int) -> str:
    """As proc_locks(5) has it: `1: FLOCK  ADVISORY  WRITE 4711 fe:01:1234 0 EOF`."""
    inode = str(os.fstat(descriptor).st_ino)
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        with suppress(ValueError):  # a line of one that waits has one word more
            _, kind, _, _, pid, place, _, _ = line.split()
            if kind == "FLOCK" and place.rpartition(":")[2] == inode:
                return f"process {pid}"
    return "another process"
