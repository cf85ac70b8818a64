"""One call's account, the same for every style: which steps there are, what they computed, how long each took."""

import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

from google.protobuf.message import DecodeError
from sweetspot.v1 import backend_pb2, workload_pb2

from services.telemetry import CallTrace, CarriedTrace, Headers, TraceContext
from services.wire import Code, RpcError
from services.workload import own, steps
from services.workload.ledger import Ledger
from services.workload.plan import check_steps, read_plan


class PlanProgress(NamedTuple):
    """A run that is handed on; times are CLOCK_MONOTONIC."""

    taken: int
    """Steps."""
    checksum: int
    waiting_ns: int
    """Time that it has waited so far, and been queued:"""
    queued_ns: int
    started_ns: int
    handed_ns: int
    trace: CarriedTrace | None
    unasked_bytes: int = 0
    """Streamed since the run last asked whether its caller reads."""


FETCH_PATH = "/sweetspot.v1.Backend/Fetch"


class Call(Protocol):
    """What a handler may know of the call it serves."""

    request: bytes
    received_ns: int

    @property
    def cancelled(self) -> bool: ...
    @property
    def deadline_ns(self) -> int | None: ...


LARGE_BYTES = 4096
"""Of a request: 64 steps take less."""


ROOM_CHECK_S = 0.05
"""How late a thread that waits for room may notice that no caller waits for its call."""
STREAMED_BYTES = 64 * 1024
"""Of a stream, after which its handler asks whether the caller reads: as many as wait for it in the session."""


class Durations(Protocol):
    """Notes how long each call took, and how it ended."""

    def note(self, duration_ns: int, code: Code, trace: TraceContext | None = None) -> None: ...


class Fetch:
    """One call to the backend that a handler is about to wait for."""

    __slots__ = ("deadline_ns", "request", "trace")

    def __init__(self, step: workload_pb2.Call, deadline_ns: int | None, trace: CallTrace | None) -> None:
        self.request = backend_pb2.FetchRequest(
            delay_us=step.delay_us, distribution=step.distribution, reply_bytes=step.reply_bytes
        ).SerializeToString()
        self.deadline_ns = deadline_ns
        self.trace = None if trace is None else trace.child()

    @property
    def metadata(self) -> Headers:
        """What is sent with it."""
        return () if self.trace is None else self.trace.headers


def at_once(then: Callable[[], None]) -> None:
    """For a caller that always has room."""
    then()


def small(step: workload_pb2.Step) -> workload_pb2.Step:
    """The step without what is unknown in it."""
    copy = workload_pb2.Step()
    copy.CopyFrom(step)
    copy.DiscardUnknownFields()
    return copy


def status_of(error: Exception) -> tuple[Code, str]:
    """How a handler's exception ends its call: RpcError with its status, any other is a bug of ours and UNKNOWN."""
    if isinstance(error, RpcError):
        return error.code, error.message
    logging.error("handler failed", exc_info=error)
    return Code.UNKNOWN, "handler failed"


def note_unbegun(received_ns: int, code: Code, durations: Durations | None, trace: CallTrace | None) -> None:
    """Notes the end of a call that a worker took and that could not begin to run: `Run` has raised an RpcError."""
    now_ns = time.monotonic_ns()
    if durations is not None:
        durations.note(now_ns - received_ns, code, None if trace is None else trace.context)
    if trace is not None:
        trace.end(received_ns, None, now_ns, code, threading.current_thread().name)


class Run:
    """A plan being run for one call. `identity` is the serialised part of RunReply that names who runs it.

    Raises RpcError as `read_plan` and `check_steps` do. `check` raises it for a call that no caller waits for any more,
    with DEADLINE_EXCEEDED or CANCELLED.
    """

    __slots__ = (
        "_call",
        "_checksum",
        "_durations",
        "_identity",
        "_index",
        "_ledger",
        "_plan",
        "_queued_ns",
        "_started_ns",
        "_trace",
        "_unasked_bytes",
        "_waiting_ns",
        "steps",
        "streams",
        "when_room",
    )

    def __init__(  # noqa: PLR0917 - to create an object by name takes 0.13 us more
        self,
        call: Call,
        identity: bytes,
        ledger: Ledger,
        streams: bool,
        trace: CallTrace | None = None,
        durations: Durations | None = None,
        progress: PlanProgress | None = None,
    ) -> None:
        """`progress` is what another Run of the same call was when it was handed on."""
        self._started_ns = now_ns = time.monotonic_ns()
        self._queued_ns = self._started_ns - call.received_ns
        self._call = call
        self._identity = identity
        self._ledger = ledger
        self._trace = trace
        self._durations = durations
        self._waiting_ns = self._checksum = self._index = self._unasked_bytes = 0
        if progress is not None:
            self._index, self._checksum, self._waiting_ns = progress.taken, progress.checksum, progress.waiting_ns
            self._started_ns = progress.started_ns
            self._queued_ns = progress.queued_ns + now_ns - progress.handed_ns
            self._unasked_bytes = progress.unasked_bytes
        self.streams = streams
        self.when_room: Callable[[Callable[[], None]], None] = at_once
        """Calls its argument once the caller has read, or no caller waits for this call any more."""
        plan = self._read(call.request)
        listed = plan.steps[:]  # a list: a loop over the field itself takes 0.3 us even where it is empty
        if listed:
            check_steps(listed, ledger.accounts)
        if len(call.request) > LARGE_BYTES:
            # A parsed message holds all of the request, unknown fields too, for as long as one of its steps lives.
            listed = [small(step) for step in listed]
            plan = workload_pb2.RunRequest(payload=plan.payload, key=plan.key)
        self._plan = plan
        self.steps: Sequence[workload_pb2.Step] = listed
        """The plan, in order; each is to be taken by exactly one of `work`, `transfer`, `slept` and `fetched`."""
        if call.deadline_ns is not None:
            self.check()

    def _read(self, request: bytes) -> workload_pb2.RunRequest:
        return read_plan(request)

    @property
    def deadline_ns(self) -> int | None:
        """CLOCK_MONOTONIC when the caller gives up."""
        return self._call.deadline_ns

    @property
    def cancelled(self) -> bool:
        """The caller has given up."""
        return self._call.cancelled

    @property
    def taken(self) -> int:
        """Steps that have been taken, by this Run and those before it."""
        return self._index

    def hand_on(self) -> PlanProgress:
        """What another Run of this call needs to continue from here; this one has ended."""
        return PlanProgress(
            taken=self._index,
            checksum=self._checksum,
            waiting_ns=self._waiting_ns,
            queued_ns=self._queued_ns,
            started_ns=self._started_ns,
            handed_ns=time.monotonic_ns(),
            trace=None if self._trace is None else self._trace.carried(threading.current_thread().name),
            unasked_bytes=self._unasked_bytes,
        )

    def check(self) -> None:
        """Raises RpcError if no caller waits for this call any more."""
        if self._call.cancelled:
            raise RpcError(Code.CANCELLED, "cancelled by the caller")
        deadline_ns = self._call.deadline_ns
        if deadline_ns is not None and time.monotonic_ns() >= deadline_ns:
            raise RpcError(Code.DEADLINE_EXCEEDED, "deadline exceeded")

    def work(self, step: workload_pb2.Step) -> None:
        """Takes a step that does not wait for I/O."""
        self.check()
        started_ns = time.monotonic_ns()
        kind = step.WhichOneof("kind")
        if kind == "compute":
            self._fold(steps.compute(step.compute))
        elif kind == "touch":
            self._fold(steps.touch(step.touch, self._plan.key))
        else:
            self._fold(steps.block(step.block))
        self._took(str(kind), started_ns)

    async def await_own(self, step: workload_pb2.Step) -> None:
        """Takes a `compute` step with the function of the user, which it awaits. The time counts as running."""
        self.check()
        started_ns = time.monotonic_ns()
        self._fold(await own.awaited(step.compute.rounds))
        self._took("compute", started_ns)
        self.check()

    def transfer(self, step: workload_pb2.Step) -> Iterator[None]:
        """Takes a `transfer` step; whenever it yields, the handler gives way: it waits for no time, as it waits."""
        self.check()
        started_ns = time.monotonic_ns()
        asked, accounts = step.transfer, self._ledger.accounts
        key = self._plan.key
        debited, credited = (key + asked.from_account) % accounts, (key + asked.to_account) % accounts
        with closing(self._ledger.transfer(debited, credited, asked.amount, asked.yields)) as transfer:
            for _ in transfer:
                gave_way_ns = time.monotonic_ns()
                yield
                self._waiting_ns += time.monotonic_ns() - gave_way_ns
                self.check()
        self._fold(asked.amount)
        self._took("transfer", started_ns)

    def slept(self, step: workload_pb2.Step, started_ns: int) -> None:
        """Notes a `sleep` step that began at `started_ns` and is over."""
        self._waiting_ns += time.monotonic_ns() - started_ns
        self._fold(step.sleep.duration_us)
        self._took("sleep", started_ns)
        self.check()

    def fetch(self, step: workload_pb2.Step) -> Fetch:
        """The backend call that a `call` step asks for."""
        self.check()
        return Fetch(step.call, self._call.deadline_ns, self._trace)

    def fetched(self, fetch: Fetch, started_ns: int, reply: bytes | RpcError) -> None:
        """Notes the end of `fetch`; raises the RpcError that it ended with."""
        ended_ns = time.monotonic_ns()
        self._waiting_ns += ended_ns - started_ns
        if self._trace is not None and fetch.trace is not None:
            code = reply.code if isinstance(reply, RpcError) else Code.OK
            self._trace.end_child(fetch.trace, started_ns, ended_ns, self._index, code)
        if isinstance(reply, RpcError):
            self.check()
            # Not `reply` itself: its traceback has this frame, which has it, and the call: a cycle.
            raise RpcError(reply.code, reply.message)
        try:
            payload = backend_pb2.FetchReply.FromString(reply).payload
        except DecodeError as error:
            raise RpcError(Code.INTERNAL, "backend's reply is not a sweetspot.v1.FetchReply") from error
        self._index += 1
        self._checksum = zlib.crc32(payload, self._checksum)
        self.check()

    def reply(self) -> bytes:
        """The RunReply so far, serialised; the payload goes with the last one."""
        reply = workload_pb2.RunReply()
        reply.queued_ns = self._queued_ns
        reply.running_ns = time.monotonic_ns() - self._call.received_ns - self._queued_ns - self._waiting_ns
        if self._index:
            reply.waiting_ns = self._waiting_ns
            reply.checksum = self._checksum
            reply.steps = self._index
        if self._index == len(self.steps):
            reply.payload = self._plan.payload
        # Two serialised messages, one after the other, are the merged message (Protocol Buffers, Encoding,
        # "Last One Wins"); the part that never changes is made once for each worker.
        return self._identity + reply.SerializeToString()

    @property
    def has_streamed_much(self) -> bool:
        """Since it last asked `when_room`, which it must ask before it continues."""
        return self._unasked_bytes >= STREAMED_BYTES

    def streamed(self) -> bytes:
        """The next message of the stream, serialised."""
        message = self.reply()
        self._unasked_bytes += len(message)
        return message

    def ask_room(self, then: Callable[[], None]) -> None:
        """Calls `then` once the caller has read, or no caller waits for this call any more."""
        self._unasked_bytes = 0
        self.when_room(then)

    def wait_for_room(self, room: threading.Event, waiters: threading.Semaphore | None = None) -> None:
        """Blocks until `room` is set, unless `waiters` have all of them. Raises RpcError as `check` does."""
        self._unasked_bytes = 0
        if waiters is not None and not waiters.acquire(blocking=False):
            return
        try:
            while not room.wait(ROOM_CHECK_S):
                self.check()
        finally:
            if waiters is not None:
                waiters.release()

    def end(self, code: Code) -> None:
        """The call has been answered: its spans are complete."""
        if self._durations is not None:
            trace = None if self._trace is None else self._trace.context
            self._durations.note(time.monotonic_ns() - self._call.received_ns, code, trace)
        if self._trace is not None:
            worker = threading.current_thread().name
            self._trace.end(self._call.received_ns, self._started_ns, time.monotonic_ns(), code, worker)

    def _fold(self, value: int) -> None:
        self._index += 1
        self._checksum = zlib.crc32(value.to_bytes(4, "big"), self._checksum)

    def _took(self, name: str, started_ns: int) -> None:
        if self._trace is not None:
            self._trace.step(name, started_ns, time.monotonic_ns(), self._index - 1)
