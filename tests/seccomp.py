"""System calls made to fail in a process, as a container's seccomp profile does (seccomp(2))."""

import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
RET_ALLOW, RET_ERRNO = 0x7FFF_0000, 0x0005_0000
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K

IO_URING_SETUP = (425,)
RECEIVING_AND_SENDING: tuple[int, ...] = {
    # accept, sendto, recvfrom, sendmsg, recvmsg, epoll_wait, epoll_pwait, accept4, recvmmsg, sendmmsg
    "x86_64": (43, 44, 45, 46, 47, 232, 281, 288, 299, 307),
    "aarch64": (202, 206, 207, 211, 212, 22, 242, 243, 269),
}.get(platform.machine(), ())
"""For sockets and by readiness; what a proactor has no need of. Empty where their numbers are not known here."""


def forbidding(numbers: tuple[int, ...], error: int = errno.EPERM) -> tuple[str, ...]:
    """An interpreter, as a command, in which these system calls fail with `error`; in its children, too."""
    return (sys.executable, __file__, str(error), ",".join(map(str, numbers)))


def forbid(numbers: list[int], error: int) -> None:
    """From now on, for this process."""
    checks = [struct.pack("=HBBI", JUMP_IF_EQUAL, len(numbers) - index, 0, n) for index, n in enumerate(numbers)]
    answers = [struct.pack("=HBBI", RETURN, 0, 0, answer) for answer in (RET_ALLOW, RET_ERRNO | error)]
    program = b"".join((struct.pack("=HBBI", LOAD_WORD, 0, 0, 0), *checks, *answers))
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp filter")


if __name__ == "__main__":
    forbid([int(number) for number in sys.argv[2].split(",")], int(sys.argv[1]))
    os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
