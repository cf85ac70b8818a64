"""System calls made to fail in a process, as a container's seccomp profile does (seccomp(2))."""

import errno
import os
import sys

from tools import seccomp

IO_URING_SETUP = (seccomp.IO_URING_SETUP,)


def forbidding(numbers: tuple[int, ...], error: int = errno.EPERM) -> tuple[str, ...]:
    """An interpreter, as a command, in which these system calls fail with `error`; in its children, too."""
    return (sys.executable, "-m", "tests.seccomp", str(error), ",".join(map(str, numbers)))


if __name__ == "__main__":
    seccomp.install(
        seccomp.program([int(number) for number in sys.argv[2].split(",")], seccomp.ERRNO | int(sys.argv[1]))
    )
    os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
