"""What is handed from stage to stage: a call, as far as it is run, or an answer to one. Plain values once packed.

Who takes it sees nothing of the stack that a call had elsewhere: what it goes on with is all in here.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.runtime.stages.register import Register
from services.wire import Code, RpcError, Shape
from services.wire.request import RequestHead
from services.workload.run import Progress, Run

Packed = tuple[Any, ...]
"""An event on its way: first the number of its call, then when it was handed on (CLOCK_MONOTONIC)."""
NOT_QUEUED = 0
"""In the place of that time, where it has passed the queue by."""

Waits = tuple[tuple[str, int, int], ...]
"""Where a traced call has waited: in the queue of which stage, from when to when (CLOCK_MONOTONIC)."""


@dataclass(slots=True, eq=False)
class Event:
    """A call on its way. To its handler it is the call."""

    number: int
    head: RequestHead
    shape: Shape
    received_ns: int
    request: bytes
    register: Register
    bypassed: tuple[str, ...] = ()
    """Stages whose work is to be done by whoever would hand it to them."""
    progress: Progress | None = None
    """None until it is begun."""
    waits: Waits = ()

    @property
    def deadline_ns(self) -> int | None:
        """CLOCK_MONOTONIC when the caller gives up."""
        timeout_ns = self.head.timeout_ns
        return None if timeout_ns is None else self.received_ns + timeout_ns

    @property
    def cancelled(self) -> bool:
        """The caller has given up."""
        return self.register.given_up(self.number)

    def check(self) -> None:
        """Raises RpcError where nobody waits for it any more."""
        if self.cancelled:
            raise RpcError(Code.CANCELLED, "cancelled by the caller")
        deadline_ns = self.deadline_ns
        if deadline_ns is not None and time.monotonic_ns() >= deadline_ns:
            raise RpcError(Code.DEADLINE_EXCEEDED, "deadline exceeded")

    def packed(self) -> Packed:
        """To be handed on now."""
        head = self.head
        return (
            self.number,
            time.monotonic_ns(),
            (head.path, head.timeout_ns, head.traceparent),
            self.shape.server_streams,
            self.received_ns,
            self.request,
            self.bypassed,
            self.progress,
            self.waits,
        )

    @classmethod
    def unpacked(cls, packed: Packed, stage: str, register: Register) -> "Event":
        """By the stage that takes it, now."""
        number, handed_ns, (path, timeout_ns, traceparent), streams, received_ns, request, bypassed, *come = packed
        shape = Shape.SERVER_STREAMING if streams else Shape.UNARY
        head = RequestHead(path, (), 0, timeout_ns=timeout_ns, traceparent=traceparent)
        event = cls(number, head, shape, received_ns, request, register, bypassed, *come)
        if traceparent is not None and handed_ns != NOT_QUEUED:
            event.waits += ((stage, handed_ns, time.monotonic_ns()),)
        return event


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ends."""

    code: Code
    why: str = ""
    retry_after_ms: int | None = None
    """With a refusal: when to come again."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a call that ends has come to."""

    progress: Progress | None = None
    """None where it was never begun."""
    worker: str = ""
    """Who ended it."""
    waits: Waits = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A message for the caller, the end of its call, or both."""

    number: int
    place: int
    """Among the answers of its call: they may come by several ways."""
    message: bytes | None
    status: Status | None = None
    account: Account = Account()
    """With a status."""

    def packed(self) -> Packed:
        """To be handed on now."""
        ended = account = None
        if self.status is not None:
            ended = int(self.status.code), self.status.why, self.status.retry_after_ms
            account = self.account.progress, self.account.worker, self.account.waits
        return self.number, time.monotonic_ns(), self.place, self.message, ended, account

    @classmethod
    def unpacked(cls, packed: Packed) -> "Answer":
        """By the stage that takes it."""
        number, _, place, message, ended, account = packed
        if ended is None:
            return cls(number, place, message)
        return cls(number, place, message, Status(Code(ended[0]), *ended[1:]), Account(*account))


def last_answer(event: Event, status: Status, run: Run | None = None, message: bytes | None = None) -> Answer:
    """What ends a call; `run` has begun it, or gone on with it, here."""
    progress = event.progress if run is None else run.hand_on()
    # Each step of a call that streams has its answer, and comes before this one.
    place = progress[0] if progress is not None and event.shape.server_streams else 0
    account = Account(progress, threading.current_thread().name, event.waits)
    return Answer(event.number, place, message, status, account)


def opened(batch: list[Packed], stage: str, register: Register, answer: Callable[[Answer], None]) -> list[Event]:
    """The calls of a batch that somebody waits for, now this process's; others are answered, if they are not over."""
    events = []
    for packed in batch:
        if not register.take(packed[0]):
            continue
        event = Event.unpacked(packed, stage, register)
        try:
            event.check()
        except RpcError as over:
            answer(last_answer(event, Status(over.code, over.message)))
        else:
            events.append(event)
    return events
