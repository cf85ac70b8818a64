"""A loop calls what is due, in order, and what other threads post, each once."""

import os
import threading
import time
from functools import partial
from itertools import pairwise

import pytest

from services.runtime.proactor.loop import Proactor
from services.runtime.readiness import wakeup
from services.runtime.readiness.demultiplexer import DEMULTIPLEXERS
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.wakeup import Wakeup
from services.runtime.refusal import NotHereError
from tests.runtime.rounds import take_round, take_round_now, take_rounds_until

FAR_NS = 3600 * 10**9
PAUSE_S = 0.01
THREADS, EACH = 4, 1000


def test_timers_are_called_in_the_order_of_their_times() -> None:
    loop, called = Loop(), list[str]()
    now_ns = time.monotonic_ns()
    loop.call_at(now_ns + 2, lambda: called.append("second"))
    loop.call_at(now_ns + 1, lambda: called.append("first"))
    take_rounds_until(loop, lambda: len(called) == 2)
    assert called == ["first", "second"]


def test_a_cancelled_timer_is_not_called() -> None:
    loop, called = Loop(), list[str]()
    now_ns = time.monotonic_ns()
    timer = loop.call_at(now_ns + 1, lambda: called.append("cancelled"))
    loop.call_at(now_ns + 2, lambda: called.append("other"))
    loop.cancel(timer)
    take_rounds_until(loop, lambda: called)
    assert called == ["other"]


def test_a_timer_cancelled_when_its_time_has_come_takes_no_other_with_it() -> None:
    loop, called = Loop(), list[str]()
    first = loop.call_at(time.monotonic_ns(), lambda: loop.cancel(first))
    loop.call_at(time.monotonic_ns() + 1, lambda: called.append("other"))
    take_rounds_until(loop, lambda: called)
    assert called == ["other"]


def test_deadlines_that_were_cancelled_do_not_pile_up() -> None:
    loop = Loop()
    kept = loop.call_at(time.monotonic_ns() + FAR_NS, lambda: None)
    for _ in range(10_000):
        loop.cancel(loop.call_at(time.monotonic_ns() + FAR_NS, lambda: None))
    assert kept in loop._timers
    assert len(loop._timers) < 200


class Readable:
    """A source that is always readable, and a handler that pauses it each time."""

    def __init__(self, loop: Loop | Proactor) -> None:
        self._loop = loop
        self._fd = os.eventfd(1)
        self.readied_ns: list[int] = []

    def fileno(self) -> int:
        return self._fd

    def ready(self, events: int) -> None:
        self.readied_ns.append(time.monotonic_ns())
        self._loop.pause(self, PAUSE_S)


@pytest.fixture(params=[*DEMULTIPLEXERS, "io_uring"])
def loop(request: pytest.FixtureRequest) -> Loop | Proactor:
    """One of each kind."""
    if request.param in DEMULTIPLEXERS:
        return Loop(DEMULTIPLEXERS[request.param]())
    try:
        return Proactor()
    except NotHereError as error:
        pytest.skip(str(error))


def test_a_source_that_pauses_is_ready_again_after_that_time(loop: Loop | Proactor) -> None:
    source = Readable(loop)
    loop.register(source, source)
    take_rounds_until(loop, lambda: len(source.readied_ns) == 3)
    assert all(next_ns - ns >= PAUSE_S * 1e9 for ns, next_ns in pairwise(source.readied_ns))


def test_a_source_that_is_unregistered_while_it_pauses_stays_so(loop: Loop | Proactor) -> None:
    source = Readable(loop)
    loop.register(source, source)
    loop.call_at(0, lambda: loop.unregister(source))
    over = threading.Event()
    loop.call_at(time.monotonic_ns() + round(3 * PAUSE_S * 1e9), over.set)
    take_rounds_until(loop, over.is_set)
    assert len(source.readied_ns) == 1


def test_what_threads_post_is_called_once_by_the_loop_and_in_each_threads_order() -> None:
    loop = Loop()
    posting = Wakeup()
    loop.register(posting, posting)
    called: list[tuple[int, int]] = []
    callers = set()

    def note(thread: int, number: int) -> None:
        called.append((thread, number))
        callers.add(threading.get_ident())

    def post(thread: int) -> None:
        for number in range(EACH):
            posting.post(partial(note, thread, number))

    posters = [threading.Thread(target=post, args=(number,)) for number in range(THREADS)]
    for poster in posters:
        poster.start()
    take_rounds_until(loop, lambda: len(called) == THREADS * EACH)
    for poster in posters:
        poster.join()
    assert [[number for of, number in called if of == thread] for thread in range(THREADS)] == [
        [*range(EACH)]
    ] * THREADS
    assert callers == {threading.get_ident()}


def test_what_takes_too_long_leaves_the_rest_for_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeup, "TURN_NS", 0)
    loop = Loop()
    posting = Wakeup()
    loop.register(posting, posting)
    called: list[int] = []
    for number in range(3):
        posting.post(partial(called.append, number))
    for done in range(1, 4):
        take_round_now(loop)
        assert called == [*range(done)]


@pytest.mark.timeout(20)
def test_what_was_asked_for_between_rounds_is_not_left_until_something_wakes_the_loop(loop: Loop | Proactor) -> None:
    done = list[str]()
    for asked in ("before the first round", "between rounds"):
        loop.soon(partial(done.append, asked))
        take_round(loop)
    assert done == ["before the first round", "between rounds"]
