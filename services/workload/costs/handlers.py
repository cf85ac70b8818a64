"""Runs one call in any style, up to where it waits: the measurement defines what waiting is. Knows no style's code."""

import time
from collections.abc import Callable, Coroutine, Generator
from types import ModuleType
from typing import Any

from sweetspot.v1 import backend_pb2, workload_pb2

from services.wire import RpcError
from services.workload.ledger import Ledger
from services.workload.run import Fetch, Run

LEDGER = Ledger(2)
FETCHED = backend_pb2.FetchReply(payload=b"reply").SerializeToString()


class MeasuredCall:
    """A call as `Run` needs it: no caller cancels it, and it has no deadline."""

    __slots__ = ("cancelled", "deadline_ns", "received_ns", "request")

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.received_ns = time.monotonic_ns()
        self.cancelled = False
        self.deadline_ns = None


def run_of(plan: workload_pb2.RunRequest) -> Run:
    """A unary call of `plan`, before its first step."""
    return Run(MeasuredCall(plan.SerializeToString()), b"", LEDGER, streams=False)


class LinearWaits:
    """Waits of a straight line: `wait` returns when it is over."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self._wait = wait

    def sleep(self, duration_us: int, run: Run) -> None:
        self._wait()

    def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        self._wait()
        return FETCHED


class Suspend:
    """What a coroutine awaits: it gives way once, to the code that drives it."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class CoroutineWaits:
    """Waits of a coroutine."""

    async def sleep(self, duration_us: int, run: Run) -> None:
        await Suspend()

    async def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        await Suspend()
        return FETCHED


class ParkingWaits:
    """Waits of callbacks: what comes next is given to `park`, to be called when the wait is over."""

    def __init__(self, park: Callable[[Callable[[], None]], None]) -> None:
        self._park = park

    def sleep(self, duration_us: int, run: Run, then: Callable[[], None]) -> None:
        self._park(then)

    def fetch(self, fetch: Fetch, run: Run, then: Callable[[bytes | RpcError], None]) -> None:
        self._park(lambda: then(FETCHED))

    def room(self, run: Run, then: Callable[[], None]) -> None:
        self._park(then)


def drive(style: str, handlers: ModuleType, run: Run, send: Callable[[bytes], None]) -> None:
    """Runs a call to its end; every wait is over at once."""
    if style in ("linear", "green"):
        for message in handlers.handle(run, LinearWaits(lambda: None)):
            send(message)
    elif style == "coroutine":
        resume_to_the_end(awaiting(handlers, run, CoroutineWaits(), send))
    else:
        due: list[Callable[[], None]] = []
        handlers.handle(run, ParkingWaits(due.append), send, lambda code, why: None)
        while due:
            due.pop()()


async def awaiting(handlers: ModuleType, run: Run, waits: Any, send: Callable[[bytes], None]) -> None:
    """What a server's task for each call does."""
    async for message in handlers.handle(run, waits):
        send(message)


def resume_to_the_end(coroutine: Coroutine[None, None, None]) -> None:
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        return
