"""`python -m tools.system_calls COMMAND ...`: runs a command, and counts its system calls.

Each call of the command waits until this process has been notified of it (SECCOMP_RET_USER_NOTIF, seccomp_unotify(2)),
so none is missed, and no debugger is needed. A line on standard input asks for the counts so far; the answer is a line
of JSON. Processes that the command starts are supervised and not counted. Must not know what the command is.
"""

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import struct
import sys
import time
from pathlib import Path

from tools.seccomp import (
    IO_URING_ENTER,
    NEW_LISTENER,
    NOTIFY,
    RECEIVES,
    SENDS,
    WAITS,
    install,
    program,
)

_PIDFD_GETFD, _PR_SET_PDEATHSIG = 438, 1
_RECEIVE, _SEND = 0xC050_2100, 0xC018_2101  # SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND
_NOTIFICATION, _RESPONSE = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")  # seccomp_notif, seccomp_notif_resp
_CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_MSG_DONTWAIT = 0x40
_LISTENING_S = 5.0
_LOOK_S = 0.002


class SystemCallCounts:
    """Of one process, by what the calls do."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._of_process: dict[int, bool] = {}
        self.all = self.receives = self.sends = self.io_uring_enters = 0
        self.blocking_receives = 0
        """Those on a descriptor that is not in non-blocking mode."""
        self.blocking_waits = 0
        """Waits for readiness that may take longer than no time at all."""

    def add(self, thread: int, number: int, arguments: tuple[int, ...]) -> None:
        """A call that is about to be made."""
        if not self._is_counted(thread):
            return
        self.all += 1
        self.sends += number in SENDS
        self.io_uring_enters += number == IO_URING_ENTER
        if number in RECEIVES:
            self.receives += 1
            flags_at = RECEIVES[number]
            at_once = flags_at is not None and arguments[flags_at] & _MSG_DONTWAIT
            self.blocking_receives += not at_once and not self._is_non_blocking(arguments[0])

        elif number in WAITS:
            timeout_at = WAITS[number]
            self.blocking_waits += timeout_at is None or arguments[timeout_at] & 0xFFFF_FFFF != 0

    def as_json(self) -> str:
        """On one line."""
        return json.dumps({name: value for name, value in vars(self).items() if not name.startswith("_")})

    def _is_counted(self, thread: int) -> bool:
        if thread not in self._of_process:
            self._of_process[thread] = Path(f"/proc/{self._pid}/task/{thread}").exists()
        return self._of_process[thread]

    def _is_non_blocking(self, descriptor: int) -> bool:
        """Asks the kernel (proc(5), fdinfo)."""
        try:
            lines = Path(f"/proc/{self._pid}/fdinfo/{descriptor}").read_text(encoding="ascii").splitlines()
        except OSError:
            return True  # no such descriptor: the call fails at once
        flags = next(line.split()[1] for line in lines if line.startswith("flags:"))
        return bool(int(flags, 8) & os.O_NONBLOCK)


def main(command: list[str]) -> int:
    """Runs it. Returns its exit status."""
    pid = os.fork()
    if not pid:
        _become(command)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    ended = os.pidfd_open(pid)
    listener = _listener_of(pid, ended)
    if listener is not None:
        _supervise(listener, ended, SystemCallCounts(pid))
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _become(command: list[str]) -> None:
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        listener = install(program((), NOTIFY, otherwise=NOTIFY), NEW_LISTENER)
        os.close(listener)  # waits until the other process has it
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror or error}", file=sys.stderr)
    os._exit(1)


def _listener_of(pid: int, ended: int) -> int | None:
    """A copy of the listener, once the process has one; None if it ends without one. Raises OSError."""
    until_s = time.monotonic() + _LISTENING_S
    while time.monotonic() < until_s and not select.select([ended], [], [], _LOOK_S)[0]:
        for each in Path(f"/proc/{pid}/fd").iterdir():
            if str(each.readlink()) == "anon_inode:seccomp notify":
                listener: int = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, ended, int(each.name), 0)
                if listener < 0:
                    raise OSError(ctypes.get_errno(), "no copy of the listener")
                return listener
    return None


def _supervise(listener: int, ended: int, counts: SystemCallCounts) -> None:
    """Lets each call be made and counts it, until the process has ended."""
    waiting = [listener, ended, sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(waiting, [], [])
        if ended in ready:  # then the listener is ready for ever
            return
        if listener in ready:
            _let_through(listener, counts)
        elif sys.stdin.readline():
            print(counts.as_json(), flush=True)
        else:
            waiting.pop()


def _let_through(listener: int, counts: SystemCallCounts) -> None:
    notification = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, notification, True)
        identity, thread, _, number, _, _, *arguments = _NOTIFICATION.unpack(notification)
        counts.add(thread, number, tuple(arguments))
        fcntl.ioctl(listener, _SEND, _RESPONSE.pack(identity, 0, 0, _CONTINUE))
    except OSError as error:
        # The call was interrupted, or its thread has ended; or this process was asked to end.
        if error.errno not in (errno.ENOENT, errno.EINTR):
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
