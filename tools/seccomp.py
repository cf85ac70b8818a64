"""Filters of system calls (seccomp(2)), and the numbers of those that move data, on the machines known here.

Must not know which process is filtered, or why. Imports only the standard library: a filter may start before a service.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Iterable

PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER, NEW_LISTENER = 1, 1 << 3
ALLOW, ERRNO, NOTIFY = 0x7FFF_0000, 0x0005_0000, 0x7FC0_0000
"""What happens to a call: it is made; it fails with the error number that is added; a listener decides."""
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
_SECCOMP = {"x86_64": 317, "aarch64": 277}

IO_URING_SETUP, IO_URING_ENTER = 425, 426
"""The same on every machine, as are all numbers from 424 on."""
RECEIVES: dict[int, int | None] = {
    # recvfrom, recvmsg, recvmmsg; read and readv, which have no flags
    "x86_64": {45: 3, 47: 2, 299: 3, 0: None, 19: None},
    "aarch64": {207: 3, 212: 2, 243: 3, 63: None, 65: None},
}.get(platform.machine(), {})
"""What receives from a socket or reads -> which argument has its flags."""
SENDS: frozenset[int] = {
    # sendto, sendmsg, sendmmsg, write, writev
    "x86_64": frozenset({44, 46, 307, 1, 20}),
    "aarch64": frozenset({206, 211, 269, 64, 66}),
}.get(platform.machine(), frozenset())
WAITS: dict[int, int | None] = {
    # epoll_wait, epoll_pwait, poll; epoll_pwait2, ppoll, select and pselect6, whose timeout is a structure
    "x86_64": {232: 3, 281: 3, 7: 2, 441: None, 271: None, 23: None, 270: None},
    "aarch64": {22: 3, 441: None, 73: None, 72: None},
}.get(platform.machine(), {})
"""What waits for readiness -> which argument has its timeout in milliseconds."""
RECEIVING_AND_SENDING: tuple[int, ...] = {
    # accept, sendto, recvfrom, sendmsg, recvmsg, epoll_wait, epoll_pwait, accept4, recvmmsg, sendmmsg
    "x86_64": (43, 44, 45, 46, 47, 232, 281, 288, 299, 307),
    "aarch64": (202, 206, 207, 211, 212, 22, 242, 243, 269),
}.get(platform.machine(), ())
"""For sockets and by readiness; what a proactor has no need of. Empty where their numbers are not known here."""


def program(numbers: Iterable[int], answer: int, otherwise: int = ALLOW) -> bytes:
    """The filter that gives `answer` to those calls, and `otherwise` to all others."""
    checked = list(numbers)
    checks = [
        struct.pack("=HBBI", _JUMP_IF_EQUAL, len(checked) - index, 0, number) for index, number in enumerate(checked)
    ]
    answers = [struct.pack("=HBBI", _RETURN, 0, 0, each) for each in (otherwise, answer)]
    return b"".join((struct.pack("=HBBI", _LOAD_WORD, 0, 0, 0), *checks, *answers))


def install(filter_: bytes, flags: int = 0) -> int:
    """For this process from now on, and its children. With NEW_LISTENER the listener's descriptor. Raises OSError."""
    number = _SECCOMP.get(platform.machine())
    if number is None:
        raise OSError(f"the system call numbers of {platform.machine()} are unknown")
    code = ctypes.create_string_buffer(filter_, len(filter_))
    argument = struct.pack("HxxxxxxP", len(filter_) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    result: int = libc.syscall(number, SET_MODE_FILTER, flags, argument)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"cannot install a seccomp filter: {os.strerror(ctypes.get_errno())}")
    return result
