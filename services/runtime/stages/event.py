"""What is handed from stage to stage: a call, as far as it is run, or an answer to one. Plain values between processes.

The process that takes it has nothing of the stack that a call had elsewhere: all that it needs is in here.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from services.runtime.stages.ownership_table import OwnershipTable
from services.telemetry import Headers
from services.wire import Code, RpcError, Shape
from services.wire.request import RequestHead
from services.workload.run import PlanProgress, Run

PackedEvent = tuple[Any, ...]
"""An event or an answer on its way between processes."""

NOT_QUEUED = 0
"""In the place of the time when something was handed on, where it has passed the queue by."""

QueueWaits = tuple[tuple[str, int, int], ...]
"""Where a traced call has waited: in the queue of which stage, from when to when (CLOCK_MONOTONIC)."""


@dataclass(slots=True, eq=False)
class Event:
    """A call on its way. To its handler it is the call."""

    number: int
    head: RequestHead
    shape: Shape
    received_ns: int
    request: bytes
    ownership: OwnershipTable
    bypassed: tuple[str, ...] = ()
    """Stages whose work is done by the stage before them."""
    progress: PlanProgress | None = None
    """None until it is begun."""
    waits: QueueWaits = ()
    handed_ns: int = NOT_QUEUED
    """When it was handed on last. CLOCK_MONOTONIC."""

    @property
    def deadline_ns(self) -> int | None:
        """CLOCK_MONOTONIC when the caller gives up."""
        timeout_ns = self.head.timeout_ns
        return None if timeout_ns is None else self.received_ns + timeout_ns

    @property
    def cancelled(self) -> bool:
        """The caller has given up."""
        return self.ownership.given_up(self.number)

    @property
    def size_bytes(self) -> int:
        """Of what is large in it."""
        return len(self.request)

    def taken_by(self, stage: str) -> None:
        """It is taken from the queue of that stage, now."""
        if self.head.trace_context and self.handed_ns != NOT_QUEUED:
            self.waits += ((stage, self.handed_ns, time.monotonic_ns()),)

    def check(self) -> None:
        """Raises RpcError if no caller waits for it any more."""
        if self.cancelled:
            raise RpcError(Code.CANCELLED, "cancelled by the caller")
        deadline_ns = self.deadline_ns
        if deadline_ns is not None and time.monotonic_ns() >= deadline_ns:
            raise RpcError(Code.DEADLINE_EXCEEDED, "deadline exceeded")

    def packed(self) -> PackedEvent:
        """For another process."""
        head = self.head
        return (
            self.number,
            (head.path, head.timeout_ns, head.trace_context),
            self.shape.server_streams,
            self.received_ns,
            self.request,
            self.bypassed,
            self.progress,
            self.waits,
            self.handed_ns,
        )

    @classmethod
    def unpacked(cls, packed: PackedEvent, ownership: OwnershipTable) -> "Event":
        """In the process that has it now."""
        number, head, streams, received_ns, request, *come = packed
        shape = Shape.SERVER_STREAMING if streams else Shape.UNARY
        *_, trace_context = head
        # Each trace context comes once, and has up to 16 KiB that no budget counts.
        read_head = _head.__wrapped__ if trace_context else _head
        return cls(number, read_head(*head), shape, received_ns, request, ownership, *come)


# Most callers send the same head with every call: 0.2 us against 1.8.
@lru_cache(maxsize=1024)
def _head(path: bytes, timeout_ns: int | None, trace_context: Headers) -> RequestHead:
    return RequestHead(path, (), 0, timeout_ns=timeout_ns, trace_context=trace_context)


class Status(NamedTuple):
    """How a call ends."""

    code: Code
    why: str = ""
    retry_after_ms: int | None = None
    """With a rejection: when to retry."""


# As for a head: 0.1 us against 0.5.
@lru_cache(maxsize=1024)
def _status(code: int, why: str, retry_after_ms: int | None) -> Status:
    return Status(Code(code), why, retry_after_ms)


@dataclass(slots=True, eq=False)
class StageAnswer:
    """A message for the caller, the end of its call, or both."""

    number: int
    place: int
    """Among the answers of its call: they may come by several ways."""
    message: bytes | None = None
    status: Status | None = None
    progress: PlanProgress | None = None
    """With a status: what the call has come to; None where it was never begun."""
    worker: str = ""
    """With a status: who ended the call."""
    waits: QueueWaits = ()
    handed_ns: int = NOT_QUEUED
    """As an event's."""
    rest: Event | None = None
    """With a message: the call, which continues once its caller has read."""

    @property
    def size_bytes(self) -> int:
        """Of what is large in it."""
        rest_bytes = 0 if self.rest is None else self.rest.size_bytes
        return rest_bytes + (0 if self.message is None else len(self.message))

    def packed(self) -> PackedEvent:
        """For another process."""
        status = None if self.status is None else (int(self.status.code), *self.status[1:])
        rest = None if self.rest is None else self.rest.packed()
        account = self.progress, self.worker, self.waits, self.handed_ns
        return self.number, self.place, self.message, status, rest, *account

    @classmethod
    def unpacked(cls, packed: PackedEvent, ownership: OwnershipTable) -> "StageAnswer":
        """In the process that has it now."""
        number, place, message, ended, packed_rest, progress, worker, waits, handed_ns = packed
        status = None if ended is None else _status(*ended)
        rest = None if packed_rest is None else Event.unpacked(packed_rest, ownership)
        return cls(number, place, message, status, progress, worker, waits, handed_ns, rest)


Item = Event | StageAnswer
"""What a queue holds: `reply`'s answers, all others' events."""


def next_answer(event: Event, run: Run, message: bytes) -> StageAnswer:
    """The next message of a stream. Where much has been streamed, the call goes with it, to wait for its caller."""
    rest = None
    if run.has_streamed_much:
        event.progress = run.hand_on()._replace(unasked_bytes=0)
        rest = event
    return StageAnswer(event.number, run.taken - 1, message, rest=rest)


def last_answer(event: Event, status: Status, run: Run | None = None, message: bytes | None = None) -> StageAnswer:
    """What ends a call; `run` has begun it, or gone on with it, here."""
    progress = event.progress if run is None else run.hand_on()
    # Each step of a call that streams has its answer, and comes before this one.
    place = progress.taken if progress is not None and event.shape.server_streams else 0
    return StageAnswer(event.number, place, message, status, progress, threading.current_thread().name, event.waits)


def claim(
    stage: str, ownership: OwnershipTable, answer: Callable[[StageAnswer], None], batch: list[Item]
) -> list[Event]:
    """Takes the calls of a batch. Returns those that a caller waits for; answers others that have not ended."""
    events = []
    for event in batch:
        assert isinstance(event, Event)
        if not ownership.take(event.number):
            continue
        event.taken_by(stage)
        try:
            event.check()
        except RpcError as over:
            answer(last_answer(event, Status(over.code, over.message)))
        else:
            events.append(event)
    return events
