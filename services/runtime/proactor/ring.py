"""io_uring: three system calls, two queues, and a request for each thing to be done. Knows no connection and no call.

    the process writes                               the kernel writes
    .---------------------.   io_uring_enter(2)   .---------------------.
    | submission queue:   | --------------------> | completion queue:   |
    | accept, recv, send, |                       | token, result,      |
    | connect, timeout .. | <-------------------- | flags               |
    '---------------------'     wait for one      '---------------------'

Some facts about io_uring (io_uring(7), io_uring_setup(2), io_uring_enter(2)):

- The queues are memory that the process and the kernel share, and another processor may see changes to it in any
  order. Not so here. With IORING_SETUP_DEFER_TASKRUN the kernel completes requests only while this thread is in
  io_uring_enter. Without IORING_SETUP_SQPOLL it also takes requests only there. So neither side reads while the other
  writes, and Python needs no memory barriers, which it does not have. The price: one thread owns the ring.
- What a request points at must stay where it is: bytes to send until it completes, a time until it is taken.
- A multishot request completes many times. IORING_CQE_F_MORE means that it is still active. Without that flag it has
  ended (an error, no free buffer, a full queue), and must be submitted again.
- A receive that selects its buffer takes one when bytes come, not when it is submitted: an idle connection holds none.
"""

import ctypes
import errno
import itertools
import mmap
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator

from services.runtime.refusal import NotHereError

ENTRIES = 1024
"""Requests that may wait to be submitted; one more, and all of them go."""
COMPLETIONS = 8 * ENTRIES
"""Completions that may wait to be taken; the kernel stores further ones elsewhere (IORING_FEAT_NODROP)."""
BUFFERS = 256
BUFFER_BYTES = 16 * 1024

OnCompletion = Callable[[int, int], None]
"""Is called with a completion's result (what the system call would have returned, or -errno) and its flags."""

MORE = 1 << 1
"""In a completion's flags (IORING_CQE_F_MORE): the request is still there, and will complete again."""

# linux/io_uring.h. System calls younger than Linux 5.0 have the same number on every architecture.
_SETUP, _ENTER, _REGISTER = 425, 426, 427
_SETUP_CQSIZE, _SETUP_SUBMIT_ALL, _SETUP_SINGLE_ISSUER, _SETUP_DEFER_TASKRUN = 1 << 3, 1 << 7, 1 << 12, 1 << 13
_SETUP_FLAGS = _SETUP_CQSIZE | _SETUP_SUBMIT_ALL | _SETUP_SINGLE_ISSUER | _SETUP_DEFER_TASKRUN
_MAP_SQES = 0x1000_0000
_MASK_32 = 0xFFFF_FFFF
_ENTER_GETEVENTS = 1
_REGISTER_PBUF_RING = 22
_POLL_ADD, _TIMEOUT, _TIMEOUT_REMOVE, _ACCEPT, _CONNECT, _CLOSE = 6, 11, 12, 13, 16, 19
_ASYNC_CANCEL, _SEND, _RECV, _SHUTDOWN = 14, 26, 27, 34
_POLL_MULTISHOT, _ACCEPT_MULTISHOT, _RECV_MULTISHOT, _TIMEOUT_ABSOLUTE = 1, 1, 2, 1
_SQE_BUFFER_SELECT, _SQE_SKIP_SUCCESS = 1 << 5, 1 << 6
_CQE_BUFFER_SHIFT = 16
_PARAMS = struct.Struct("=7I12x8IQ8IQ")  # io_uring_params
_SQE = struct.Struct("=BBHiQQIIQ24x")  # io_uring_sqe: opcode, flags, ioprio, fd, off, addr, len, op_flags, user_data
_CQE = struct.Struct("=QiI")  # io_uring_cqe: user_data, res, flags
_TIME = struct.Struct("=qq")  # __kernel_timespec
_GROUP = struct.Struct("=QIH26x")  # io_uring_buf_reg
_BUFFER = struct.Struct("=QIH")  # io_uring_buf, and 2 bytes that in the first one are the ring's tail
_BUFFER_TAIL = struct.Struct("=H")
_BUFFER_ENTRY_BYTES = 16
_BUFFER_TAIL_AT = 14

_COME_AGAIN = frozenset((errno.EINTR, errno.EAGAIN, errno.EBUSY))
"""A signal, or too much at once: take what there is and come again (io_uring_enter(2))."""
_WHY_NOT = {
    errno.ENOSYS: "this kernel has none",
    errno.EPERM: "it is forbidden here, by a seccomp profile or by sysctl kernel.io_uring_disabled",
    errno.EINVAL: "this kernel is older than Linux 6.1",
}

_syscall = ctypes.CDLL(None, use_errno=True).syscall  # releases the interpreter lock while it runs
_syscall.argtypes = (ctypes.c_long,) * 7
_syscall.restype = ctypes.c_long
_address_of_bytes = ctypes.pythonapi.PyBytes_AsString
_address_of_bytes.argtypes = (ctypes.py_object,)
_address_of_bytes.restype = ctypes.c_void_p


class Ring:
    """A ring, the handlers of its completions, and the buffers that it receives into. One thread's own.

    Raises NotHereError.
    """

    def __init__(self) -> None:
        self._fd, params = _set_up()
        fields = _PARAMS.unpack(params)
        sq_tail, sq_array, cq_head, cq_tail, cqes = (fields[at] for at in (8, 13, 16, 17, 21))
        shared = memoryview(mmap.mmap(self._fd, max(sq_array + 4 * ENTRIES, cqes + _CQE.size * COMPLETIONS)))
        self._sq_tail, self._cq_head, self._cq_tail = (
            shared[at : at + 4].cast("I") for at in (sq_tail, cq_head, cq_tail)
        )
        struct.pack_into(f"={ENTRIES}I", shared, sq_array, *range(ENTRIES))
        self._cqes = shared[cqes : cqes + _CQE.size * COMPLETIONS]
        self._sqes = mmap.mmap(self._fd, _SQE.size * ENTRIES, offset=_MAP_SQES)
        self._submitted = self._prepared = 0
        self._times = mmap.mmap(-1, _TIME.size * ENTRIES)
        self._times_at = _address_of(self._times)
        self._tokens = itertools.count(1)
        self._pending: dict[int, tuple[OnCompletion, bytes | None]] = {}
        self._buffers = mmap.mmap(-1, BUFFERS * BUFFER_BYTES)
        self._buffers_at = _address_of(self._buffers)
        self._free = mmap.mmap(-1, BUFFERS * _BUFFER_ENTRY_BYTES)
        self._free_tail = 0
        group = ctypes.create_string_buffer(_GROUP.pack(_address_of(self._free), BUFFERS, 0), _GROUP.size)
        _checked(_syscall(_REGISTER, self._fd, _REGISTER_PBUF_RING, ctypes.addressof(group), 1, 0, 0))
        for number in range(BUFFERS):
            self._give_back(number)

    def accept(self, listener: int, on_completion: OnCompletion) -> None:
        """Multishot; each result is the descriptor of a connection."""
        self._submit(_ACCEPT, 0, _ACCEPT_MULTISHOT, listener, 0, 0, 0, socket.SOCK_CLOEXEC, self._token(on_completion))

    def receive(self, fd: int, on_completion: OnCompletion) -> int:
        """Multishot; each result above 0 is for `received` to take, 0 means that the peer has closed.

        The last result is -ECANCELED where what it returns is given up.
        """
        token = self._token(on_completion)
        self._submit(_RECV, _SQE_BUFFER_SELECT, _RECV_MULTISHOT, fd, 0, 0, 0, 0, token)
        return token

    def received(self, result: int, flags: int) -> bytes:
        """The bytes of a completed `receive`; gives their buffer back."""
        number = flags >> _CQE_BUFFER_SHIFT
        data = self._buffers[number * BUFFER_BYTES : number * BUFFER_BYTES + result]
        self._give_back(number)
        return data

    def send(self, fd: int, data: bytes, on_completion: OnCompletion) -> None:
        """Completes once the socket has taken all of `data`; the result is less only where the connection failed."""
        all_of_it = socket.MSG_WAITALL | socket.MSG_NOSIGNAL
        self._submit(
            _SEND, 0, 0, fd, 0, _address_of_bytes(data), len(data), all_of_it, self._token(on_completion, data)
        )

    def connect(self, fd: int, address: bytes, on_completion: OnCompletion) -> int:
        """`address` is a sockaddr; the result is 0, or -ECANCELED where what it returns is given up before."""
        token = self._token(on_completion, address)
        self._submit(_CONNECT, 0, 0, fd, len(address), _address_of_bytes(address), 0, 0, token)
        return token

    def give_up(self, request: int) -> None:
        """Has a connect, a receive or a poll that has not completed do so; nothing where it has."""
        self._submit(_ASYNC_CANCEL, _SQE_SKIP_SUCCESS, 0, -1, 0, request, 0, 0, 0)

    def shutdown(self, fd: int, how: int, on_completion: OnCompletion) -> None:
        """As shutdown(2); the result is 0."""
        self._submit(_SHUTDOWN, 0, 0, fd, 0, 0, how, 0, self._token(on_completion))

    def close(self, fd: int) -> None:
        """Closes a descriptor of which no request is left."""
        self._submit(_CLOSE, _SQE_SKIP_SUCCESS, 0, fd, 0, 0, 0, 0, 0)

    def poll(self, fd: int, on_completion: OnCompletion) -> int:
        """Completes whenever `fd` becomes readable (multishot). So the loop's handler has to read all there is.

        The last result is -ECANCELED where what it returns is given up.
        """
        token = self._token(on_completion)
        self._submit(_POLL_ADD, 0, 0, fd, 0, 0, _POLL_MULTISHOT, select.POLLIN, token)
        return token

    def timeout(self, due_ns: int, on_completion: OnCompletion) -> int:
        """Completes once, at CLOCK_MONOTONIC `due_ns` or soon after, unless what it returns is cancelled before."""
        at = self._prepared % ENTRIES * _TIME.size
        _TIME.pack_into(self._times, at, *divmod(due_ns, 1_000_000_000))
        token = self._token(on_completion)
        self._submit(_TIMEOUT, 0, 0, -1, 0, self._times_at + at, 1, _TIMEOUT_ABSOLUTE, token)
        return token

    def cancel(self, timeout: int) -> None:
        """Cancels a timeout; does nothing if its completion was already handled."""
        if self._pending.pop(timeout, None) is not None:
            self._submit(_TIMEOUT_REMOVE, _SQE_SKIP_SUCCESS, 0, -1, 0, timeout, 0, 0, 0)

    def wait(self) -> Iterator[tuple[OnCompletion, int, int]]:
        """Submits what was asked for, waits until something has completed, and returns each handler with its result.

        Gives nothing where a signal came first.
        """
        head = self._cq_head[0]
        self._enter(at_least=1, flags=_ENTER_GETEVENTS)
        return self._completed_since(head)

    def _completed_since(self, head: int) -> Iterator[tuple[OnCompletion, int, int]]:
        tail = self._cq_tail[0]
        first, last = head % COMPLETIONS * _CQE.size, tail % COMPLETIONS * _CQE.size
        if first < last or head == tail:
            taken = self._cqes[first:last].tobytes()
        else:
            taken = self._cqes[first:].tobytes() + self._cqes[:last].tobytes()
        self._cq_head[0] = tail
        for token, result, flags in _CQE.iter_unpack(taken):
            found = self._pending.get(token) if flags & MORE else self._pending.pop(token, None)
            if found is not None:  # else a cancelled timeout, or one that is reported only if it failed
                yield found[0], result, flags

    def _token(self, on_completion: OnCompletion, buffer: bytes | None = None) -> int:
        token = next(self._tokens)
        self._pending[token] = (on_completion, buffer)
        return token

    def _submit(self, *fields: int) -> None:
        _SQE.pack_into(self._sqes, self._prepared % ENTRIES * _SQE.size, *fields)
        self._prepared += 1
        while self._prepared - self._submitted == ENTRIES:
            self._enter(at_least=0, flags=0)

    def _enter(self, at_least: int, flags: int) -> None:
        self._sq_tail[0] = self._prepared & _MASK_32
        unsubmitted = self._prepared - self._submitted
        submitted = _syscall(_ENTER, self._fd, unsubmitted, at_least, flags, 0, 0)
        if submitted >= 0:
            self._submitted += submitted
        elif ctypes.get_errno() not in _COME_AGAIN:
            _checked(submitted)

    def _give_back(self, number: int) -> None:
        at = self._free_tail % BUFFERS * _BUFFER_ENTRY_BYTES
        _BUFFER.pack_into(self._free, at, self._buffers_at + number * BUFFER_BYTES, BUFFER_BYTES, number)
        self._free_tail = self._free_tail + 1 & 0xFFFF
        _BUFFER_TAIL.pack_into(self._free, _BUFFER_TAIL_AT, self._free_tail)


def require_io_uring() -> None:
    """For a process that will have others make rings. Raises NotHereError."""
    os.close(_set_up()[0])


def _set_up() -> "tuple[int, ctypes.Array[ctypes.c_char]]":
    params = ctypes.create_string_buffer(_PARAMS.pack(0, COMPLETIONS, _SETUP_FLAGS, *[0] * 22), _PARAMS.size)
    fd = _syscall(_SETUP, ENTRIES, ctypes.addressof(params), 0, 0, 0, 0)
    if fd < 0:
        error = ctypes.get_errno()
        raise NotHereError(f"no io_uring: {_WHY_NOT.get(error, os.strerror(error))}")
    return fd, params


def _address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _checked(result: int) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
