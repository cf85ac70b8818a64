"""How long it takes to resume what waits at the bottom of a chain of calls, and to have it wait again, by style.

The handler itself is one function deep; this is a chain of functions that call the next one and wait for it, written
in each style. The cost of a resume depends on where the chain is stored. A thread has a stack and continues at its end,
and a callback is the end. A coroutine is entered from the top, through every function that awaits the next.
"""

import threading
import time
import timeit
from collections.abc import Callable, Generator

from greenlet import getcurrent, greenlet

from services.wire import Code
from services.workload.continuations import Wait, trampoline
from services.workload.costs.handlers import Suspend

DEPTHS = (1, 2, 4, 8, 16, 32, 64)
RESUMES, RESUMES_OF_A_THREAD = 1000, 200
"""Of a round. To hand over to a thread takes some 20 us, to everything else below 4."""
ROUNDS = 15


def linear(depth: int) -> Callable[[], None]:
    """A thread; to resume it is to hand over to it, and to wait until it hands back."""
    go, back = threading.Semaphore(0), threading.Semaphore(0)

    def descend(depth: int) -> None:
        if depth > 1:
            descend(depth - 1)
        while True:
            back.release()
            go.acquire()

    def resume() -> None:
        go.release()
        back.acquire()

    threading.Thread(target=descend, args=(depth,), daemon=True).start()
    back.acquire()
    return resume


def green(depth: int) -> Callable[[], None]:
    """A greenlet, which has a stack of its own and hands over by a switch to it."""
    hub = getcurrent()

    def descend(depth: int) -> None:
        if depth > 1:
            descend(depth - 1)
        while True:
            hub.switch()

    started = greenlet(descend)
    started.switch(depth)
    resume: Callable[[], None] = started.switch
    return resume


def coroutine(depth: int) -> Callable[[], None]:
    async def descend(depth: int) -> None:
        if depth > 1:
            await descend(depth - 1)
        while True:
            await Suspend()

    started = descend(depth)
    started.send(None)
    return lambda: started.send(None)


def continuations(depth: int) -> Callable[[], None]:
    waiting: list[Callable[[], None]] = []

    def descend(depth: int) -> Generator[Wait, object, None]:
        if depth > 1:
            yield from descend(depth - 1)
        while True:
            yield waiting.append

    trampoline(descend(depth), _never)
    return _resume_next(waiting)


def closures(depth: int) -> Callable[[], None]:
    waiting: list[Callable[[], None]] = []

    def descend(depth: int, then: Callable[[], None]) -> None:
        if depth > 1:

            def finished() -> None:
                then()

            descend(depth - 1, finished)
            return

        def resumed() -> None:
            waiting.append(resumed)

        waiting.append(resumed)

    descend(depth, lambda: None)
    return _resume_next(waiting)


class Frame:
    """A record of the chain, with a reference to the next one."""

    __slots__ = ("caller", "waiting")

    def __init__(self, caller: "Frame | None", waiting: list[Callable[[], None]]) -> None:
        self.caller = caller
        self.waiting = waiting

    def resumed(self) -> None:
        self.waiting.append(self.resumed)


def ripped(depth: int) -> Callable[[], None]:
    waiting: list[Callable[[], None]] = []
    frame = None
    for _ in range(depth):
        frame = Frame(frame, waiting)
    assert frame is not None
    frame.resumed()
    return _resume_next(waiting)


CHAINS: dict[str, Callable[[int], Callable[[], None]]] = {
    "linear": linear,
    "green": green,
    "coroutine": coroutine,
    "continuations": continuations,
    "closures": closures,
    "ripped": ripped,
}
"""Each makes a chain that waits, so many functions deep, and gives what resumes it until it waits again."""


def resume_ns(style: str) -> dict[int, float]:
    """Nanoseconds of a resume by depth, the best of ROUNDS. Each round has every depth: what slows one slows all."""
    resumes = RESUMES_OF_A_THREAD if style == "linear" else RESUMES
    chains = {depth: CHAINS[style](depth) for depth in DEPTHS}
    rounds = [{depth: _time(resume, resumes) for depth, resume in chains.items()} for _ in range(ROUNDS)]
    return {depth: min(each[depth] for each in rounds) for depth in DEPTHS}


def _resume_next(waiting: list[Callable[[], None]]) -> Callable[[], None]:
    def resume() -> None:
        waiting.pop()()

    return resume


def _time(resume: Callable[[], None], resumes: int) -> float:
    return timeit.timeit(resume, timer=time.perf_counter_ns, number=resumes) / resumes


def _never(code: Code, why: str) -> None:
    """For a chain that does not end."""
