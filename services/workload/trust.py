"""What becomes of a call in each style if its backend misbehaves. `python -m services.workload.trust` prints JSON.

A callback hands over the rest of the call. The callee may call it twice, never or at once, and may drop what it raises
("inversion of control"; Simpson, You Don't Know JS: Async & Performance, chapter 2, "Trust Issues"). A straight line
hands over a place for one answer, and continues by itself. The JSON has for each style: {"hands_over": false, "faults":
{"twice": {"right": 1, "ended": 1, "sent": 1, "thrown": 0}}}, where `thrown` counts the errors that the callee had to
catch. No service uses this module.
"""

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet
from sweetspot.v1 import workload_pb2

from services.wire import Code, RpcError
from services.workload.costs import STYLES
from services.workload.costs.handlers import FETCHED, ParkingWaits, Suspend, run_of
from services.workload.run import Fetch, Run, status_of

STEPS = (
    workload_pb2.Step(compute=workload_pb2.Compute(rounds=1)),
    workload_pb2.Step(call=workload_pb2.Call()),
    workload_pb2.Step(compute=workload_pb2.Compute(rounds=1)),
    workload_pb2.Step(sleep=workload_pb2.Sleep()),
    workload_pb2.Step(compute=workload_pb2.Compute(rounds=1)),
)
"""The backend call goes wrong. The sleep does not, and a second answer of the backend comes while the call sleeps."""
NO_REPLY = b"\xff"
"""What raises an error where it is read, in the code that continues."""

BackendAnswer = bytes | RpcError
Back = Callable[[BackendAnswer], None]
"""How an answer comes back to the call."""
Due = list[Callable[[], None]]
"""What will happen, in this order."""


def as_promised(due: Due, back: Back) -> None:
    """Once, later."""
    due.append(partial(back, FETCHED))


def at_once(due: Due, back: Back) -> None:
    """Before the wait has returned, or begun."""
    back(FETCHED)


def twice(due: Due, back: Back) -> None:
    """Two answers, one right after the other."""
    due.extend([partial(back, FETCHED)] * 2)


def never(due: Due, back: Back) -> None:
    """No answer."""


def swallows(due: Due, back: Back) -> None:
    """Drops the error that is raised in the code that continues."""

    def suppressed() -> None:
        with suppress(Exception):
            back(NO_REPLY)

    due.append(suppressed)


FAULTS = {"none": as_promised, "at_once": at_once, "twice": twice, "never": never, "swallows": swallows}


class ObservedCall:
    """What a call did, as its server sees it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.ended: list[Code] = []
        self.thrown = 0

    def done(self, code: Code, _why: str = "") -> None:
        """Notes that the call has ended."""
        self.ended.append(code)

    def is_right(self, fault: str) -> bool:
        """One end, and either one whole reply or an error."""
        if fault == "swallows":
            return len(self.ended) == 1 and self.ended != [Code.OK] and not self.sent
        steps = [workload_pb2.RunReply.FromString(message).steps for message in self.sent]
        return self.ended == [Code.OK] and steps == [len(STEPS)]


class Place:
    """Room for one answer, which the call itself takes; a second one is not looked at."""

    def __init__(self) -> None:
        self.answers: list[BackendAnswer] = []

    def put(self, answer: BackendAnswer) -> None:
        self.answers.append(answer)


class Blocking:
    """How a straight line waits: `wait` lets others run."""

    def __init__(self, ask: Callable[[Back], None], due: Due, wait: Callable[[], None]) -> None:
        self._ask = ask
        self._due = due
        self._wait = wait

    def fetch(self, fetch: Fetch, run: Run) -> BackendAnswer:
        return self._answer(self._ask)

    def sleep(self, duration_us: int, run: Run) -> None:
        self._answer(partial(as_promised, self._due))

    def _answer(self, ask: Callable[[Back], None]) -> BackendAnswer:
        place = Place()
        ask(place.put)
        while not place.answers:
            self._wait()
        return place.answers[0]


class Awaiting:
    """How a coroutine waits."""

    def __init__(self, ask: Callable[[Back], None], due: Due) -> None:
        self._ask = ask
        self._due = due

    async def fetch(self, fetch: Fetch, run: Run) -> BackendAnswer:
        return await self._answer(self._ask)

    async def sleep(self, duration_us: int, run: Run) -> None:
        await self._answer(partial(as_promised, self._due))

    async def _answer(self, ask: Callable[[Back], None]) -> BackendAnswer:
        place = Place()
        ask(place.put)
        while not place.answers:
            await Suspend()
        return place.answers[0]


class HandingOver(ParkingWaits):
    """How callbacks wait: the backend gets what comes next."""

    def __init__(self, ask: Callable[[Back], None], due: Due) -> None:
        super().__init__(due.append)
        self._ask = ask

    def fetch(self, fetch: Fetch, run: Run, then: Back) -> None:
        self._ask(then)


Continue = Callable[[], None]
"""Lets the call run up to its next wait, where it does not come by itself; nothing once it has ended."""


def linear(ask: Callable[[Back], None], due: Due, seen: ObservedCall) -> Continue:
    """A thread, which takes turns with the one that resumes it."""
    go, back = threading.Semaphore(0), threading.Semaphore(0)

    def wait() -> None:
        back.release()
        go.acquire()

    def serve() -> None:
        _straight("linear", Blocking(ask, due, wait), seen)
        back.release()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    back.acquire()

    def resume() -> None:
        if not seen.ended:
            go.release()
            back.acquire()

    return resume


def green(ask: Callable[[Back], None], due: Due, seen: ObservedCall) -> Continue:
    """A greenlet; one that is over returns at once."""
    started = greenlet(partial(_straight, "green", Blocking(ask, due, getcurrent().switch), seen))
    resume: Continue = started.switch
    resume()
    return resume


def coroutine(ask: Callable[[Back], None], due: Due, seen: ObservedCall) -> Continue:
    async def serve() -> None:
        try:
            async for message in STYLES["coroutine"].handle(_run(), Awaiting(ask, due)):
                seen.sent.append(message)
        except Exception as error:
            seen.done(*status_of(error))
        else:
            seen.done(Code.OK)

    started = serve()

    def resume() -> None:
        if not seen.ended:
            with suppress(StopIteration):
                started.send(None)

    resume()
    return resume


def handed_over(style: str, ask: Callable[[Back], None], due: Due, seen: ObservedCall) -> Continue:
    """Callbacks of that style."""
    STYLES[style].handle(_run(), HandingOver(ask, due), seen.sent.append, seen.done)
    return lambda: None


STRAIGHT = {"linear": linear, "green": green, "coroutine": coroutine}
"""Styles that hand nothing over."""


def observe(style: str, fault: str) -> ObservedCall:
    """What a call does if the backend has that fault."""
    due: Due = []
    seen = ObservedCall()
    resume = STRAIGHT.get(style, partial(handed_over, style))(partial(FAULTS[fault], due), due, seen)
    while due:
        try:
            due.pop(0)()
        except Exception:
            seen.thrown += 1
        resume()
    return seen


def _straight(style: str, waits: Blocking, seen: ObservedCall) -> None:
    try:
        for message in STYLES[style].handle(_run(), waits):
            seen.sent.append(message)
    except Exception as error:
        seen.done(*status_of(error))
    else:
        seen.done(Code.OK)


def _run() -> Run:
    return run_of(workload_pb2.RunRequest(steps=STEPS))


def main() -> None:
    """Prints it."""
    logging.disable()  # the figures show what fails
    print(json.dumps({style: _of(style) for style in STYLES}))


def _of(style: str) -> dict[str, Any]:
    faults = {}
    for fault in FAULTS:
        seen = observe(style, fault)
        figures = {"ended": len(seen.ended), "sent": len(seen.sent), "thrown": seen.thrown}
        faults[fault] = {"right": int(seen.is_right(fault)), **figures}
    return {"hands_over": style not in STRAIGHT, "faults": faults}


if __name__ == "__main__":
    main()
