"""What is handed from stage to stage: a call, as far as it is run, or an answer to one. Plain values once packed.

A process sees nothing of the stack that a call had in another one: what it goes on with is all in here.
"""

import time
from dataclasses import dataclass
from typing import Any

from services.runtime.stages.register import Register
from services.wire import Code, RpcError, Shape
from services.wire.request import RequestHead
from services.workload.run import Progress

Packed = tuple[Any, ...]
"""An event on its way: first the number of its call, then when it was handed on (CLOCK_MONOTONIC)."""


@dataclass(slots=True, eq=False)
class Event:
    """A call on its way. To its handler it is the call."""

    number: int
    head: RequestHead
    shape: Shape
    received_ns: int
    request: bytes
    register: Register
    bypassed: tuple[str, ...]
    """Stages whose work is to be done by whoever would hand it to them."""
    progress: Progress | None = None
    """None until it is begun."""

    @property
    def deadline_ns(self) -> int | None:
        """CLOCK_MONOTONIC when the caller gives up."""
        timeout_ns = self.head.timeout_ns
        return None if timeout_ns is None else self.received_ns + timeout_ns

    @property
    def cancelled(self) -> bool:
        """The caller has given up."""
        return self.register.given_up(self.number)

    @property
    def next_answer(self) -> int:
        """Place of the next answer among those of this call, from 0."""
        return self.progress[0] if self.progress is not None and self.shape.server_streams else 0

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
        )

    @classmethod
    def unpacked(cls, packed: Packed, register: Register) -> "Event":
        """In the process that takes it."""
        number, _, (path, timeout_ns, traceparent), streams, received_ns, request, bypassed, progress = packed
        shape = Shape.SERVER_STREAMING if streams else Shape.UNARY
        head = RequestHead(path, (), 0, timeout_ns=timeout_ns, traceparent=traceparent)
        return cls(number, head, shape, received_ns, request, register, bypassed, progress)


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ends."""

    code: Code
    why: str = ""
    retry_after_ms: int | None = None
    """With a refusal: when to come again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A message for the caller, the end of its call, or both."""

    number: int
    place: int
    """Among the answers of its call: they may come by several ways."""
    message: bytes | None
    status: Status | None

    def packed(self) -> Packed:
        """To be handed on now."""
        status = self.status
        ended = None if status is None else (int(status.code), status.why, status.retry_after_ms)
        return self.number, time.monotonic_ns(), self.place, self.message, ended

    @classmethod
    def unpacked(cls, packed: Packed) -> "Answer":
        """In the process that takes it."""
        number, _, place, message, ended = packed
        status = None if ended is None else Status(Code(ended[0]), *ended[1:])
        return cls(number, place, message, status)
