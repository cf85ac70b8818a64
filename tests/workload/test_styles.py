"""Whatever the style, the same plan gives the same replies, and ends with the same status, once."""

import asyncio
import gc
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest
from sweetspot.v1 import backend_pb2, workload_pb2

from services.wire import Code, RpcError
from services.workload import awaiting, callbacks, coroutine, linear
from services.workload.callback_styles import CALLBACK_STYLES
from services.workload.ledger import Ledger
from services.workload.run import Fetch, Run, status_of

Ended = tuple[list[tuple[int, int]], Code, str]
"""(steps, checksum) of each reply, and the status."""
Outcome = Callable[[Run], bytes | RpcError]


class Call:
    """A call as `Run` needs it."""

    def __init__(self, plan: workload_pb2.RunRequest) -> None:
        self.request = plan.SerializeToString()
        self.received_ns = time.monotonic_ns()
        self.cancelled = False
        self.deadline_ns = None


class Later:
    """Waits that are over when `run` is called; a call to the backend ends with the outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._due = deque[Callable[[], None]]()

    def sleep(self, duration_us: int, run: Run, then: Callable[[], None]) -> None:
        self._due.append(then)

    def fetch(self, fetch: Fetch, run: Run, then: Callable[[bytes | RpcError], None]) -> None:
        self._due.append(lambda: then(self._outcome(run)))

    def room(self, run: Run, then: Callable[[], None]) -> None:
        run.ask_room(partial(self._due.append, then))

    def run(self) -> None:
        while self._due:
            self._due.popleft()()


class AtOnce:
    """The same, for a handler that blocks."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def sleep(self, duration_us: int, run: Run) -> None: ...

    def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        return self._outcome(run)


class Awaited:
    """The same, for a handler that awaits."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    async def sleep(self, duration_us: int, run: Run) -> None:
        await asyncio.sleep(0)

    async def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        await asyncio.sleep(0)
        return self._outcome(run)


def read(messages: list[bytes]) -> list[tuple[int, int]]:
    replies = [workload_pb2.RunReply.FromString(message) for message in messages]
    return [(reply.steps, reply.checksum) for reply in replies]


def by_linear(run: Run, outcome: Outcome) -> Ended:
    messages: list[bytes] = []
    try:
        messages.extend(linear.handle(run, AtOnce(outcome)))
    except RpcError as error:
        return read(messages), *status_of(error)
    return read(messages), Code.OK, ""


def by_coroutine(handle: awaiting.Handler) -> Callable[[Run, Outcome], Ended]:
    def ended(run: Run, outcome: Outcome) -> Ended:
        messages: list[bytes] = []

        async def take() -> tuple[Code, str]:
            try:
                async for message in handle(run, Awaited(outcome)):
                    messages.append(message)
            except RpcError as error:
                return status_of(error)
            return Code.OK, ""

        status = asyncio.run(take())
        return read(messages), *status

    return ended


def by_callbacks(handle: callbacks.Handle) -> Callable[[Run, Outcome], Ended]:
    def ended(run: Run, outcome: Outcome) -> Ended:
        messages: list[bytes] = []
        statuses: list[tuple[Code, str]] = []
        waits = Later(outcome)
        handle(run, waits, messages.append, lambda code, why: statuses.append((code, why)))
        waits.run()
        (status,) = statuses
        return read(messages), *status

    return ended


def elsewhere(work: Callable[[], None], then: Callable[[callbacks.Note], None]) -> None:
    """Work that is over at once."""
    done = Future[None]()
    try:
        work()
        done.set_result(None)
    except RpcError as error:
        done.set_exception(error)
    then(done.result)


STYLES = {
    "coroutine": by_coroutine(coroutine.handle),
    "coroutine that awaits a function of the user": by_coroutine(awaiting.handle),
    "closures that block elsewhere": by_callbacks(partial(callbacks.handle, elsewhere=elsewhere)),
    **{name: by_callbacks(handle) for name, handle in CALLBACK_STYLES.items()},
}


def steps(*kinds: dict[str, Any]) -> workload_pb2.RunRequest:
    return workload_pb2.RunRequest(steps=[workload_pb2.Step(**kind) for kind in kinds], key=3)


COMPUTE = {"compute": workload_pb2.Compute(rounds=10)}
CALL = {"call": workload_pb2.Call(reply_bytes=5)}
SLEEP = {"sleep": workload_pb2.Sleep(duration_us=7)}
TRANSFER = {"transfer": workload_pb2.Transfer(to_account=1, amount=9)}
GIVES_WAY = {"transfer": workload_pb2.Transfer(to_account=1, amount=9, yields=2)}
BLOCK = {"block": workload_pb2.Block(duration_us=1)}
PLANS = {
    "nothing": steps(),
    "no wait": steps(COMPUTE, COMPUTE),
    "a block between waits": steps(BLOCK, CALL, BLOCK, COMPUTE, SLEEP, BLOCK),
    "a wait first": steps(CALL, COMPUTE),
    "a wait last": steps(COMPUTE, SLEEP),
    "waits one after the other": steps(CALL, SLEEP, SLEEP, CALL),
    "waits and work in turn": steps(COMPUTE, SLEEP, COMPUTE, CALL, COMPUTE, SLEEP, COMPUTE),
    "transfers that give way or do not": steps(GIVES_WAY, TRANSFER, CALL, TRANSFER, GIVES_WAY),
}


def replied(run: Run) -> bytes | RpcError:
    return backend_pb2.FetchReply(payload=b"reply").SerializeToString()


def failed(run: Run) -> bytes | RpcError:
    return RpcError(Code.UNAVAILABLE, "no backend")


def garbled(run: Run) -> bytes | RpcError:
    return b"\xff\xff"


def given_up(run: Run) -> bytes | RpcError:
    assert isinstance(run._call, Call)
    run._call.cancelled = True
    return replied(run)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("outcome", [replied, failed, garbled, given_up])
@pytest.mark.parametrize("streams", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_each_style_ends_as_the_straight_line_does(
    style: str, outcome: Outcome, streams: bool, plan: workload_pb2.RunRequest
) -> None:
    expected = by_linear(Run(Call(plan), b"", Ledger(10), streams=streams), outcome)
    assert STYLES[style](Run(Call(plan), b"", Ledger(10), streams=streams), outcome) == expected


@pytest.mark.parametrize("style", CALLBACK_STYLES)
@pytest.mark.parametrize("step", [COMPUTE, SLEEP, CALL, GIVES_WAY], ids=["work", "sleep", "call", "transfer"])
def test_a_stream_goes_on_once_there_is_room(
    style: str, step: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.workload.run.STREAMED_BYTES", 1)
    run = Run(Call(steps(step, step, step)), b"", Ledger(10), streams=True)
    asked: list[Callable[[], None]] = []
    run.when_room = asked.append
    messages: list[bytes] = []
    statuses: list[Code] = []
    waits = Later(replied)
    CALLBACK_STYLES[style](run, waits, messages.append, lambda code, why: statuses.append(code))
    for sent in (1, 2, 3):
        waits.run()
        assert (len(messages), len(asked), statuses) == (sent, 1, [])
        asked.pop()()
        waits.run()
    assert statuses == [Code.OK]


@pytest.mark.parametrize("style", ["linear", *STYLES])
@pytest.mark.parametrize("outcome", [replied, failed, garbled, given_up])
@pytest.mark.parametrize("streams", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_call_that_has_ended_is_freed_without_the_collector(
    style: str, outcome: Outcome, streams: bool, plan: workload_pb2.RunRequest
) -> None:
    gc.disable()
    try:
        call = Call(plan)
        {"linear": by_linear, **STYLES}[style](Run(call, b"", Ledger(10), streams=streams), outcome)
        freed = weakref.ref(call)
        del call
        assert freed() is None
    finally:
        gc.enable()
