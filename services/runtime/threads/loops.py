"""Event loops in threads of one process, each with a listener of its own. What a loop does is the model's.

                 one port                  a thread each
    c1, c3 ---> listener 0 (SO_REUSEPORT) --> [ loop 0 ]
    c2 -------> listener 1 (SO_REUSEPORT) --> [ loop 1 ]
                main thread: takes signals, and waits until every loop has ended

A shared listener would not spread connections. Linux wakes every loop that watches it, and the loop that is fastest
to accept gets them. EPOLLEXCLUSIVE (epoll_ctl(2)) wakes one loop, mostly the same one, and asyncio does not offer it.
With a listener for each loop, the kernel chooses by a hash of the addresses (socket(7), SO_REUSEPORT).

Loops share no connection and no timer. They share the service: its counters have locks, and each loop watches the
descriptor of the drain by itself.
"""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from services.runtime.drain import TimeIsUp
from services.runtime.service import Service
from services.runtime.workers import LOOPS

Place = TypeVar("Place")
"""A listener, or the port of one that the loop makes."""
RunLoop = Callable[[socket.socket], None]
"""Makes a loop in the calling thread, serves what comes to the listener, and returns once that has drained."""


def serve_in_loops(service: Service, run_loop: RunLoop) -> None:
    """Serves with `--loops` loops in this process until drained; a single one runs in the calling thread.

    Of several, a loop whose handler blocks is cut off once the drain has had its time: the calling thread only waits.
    """
    if service.config[LOOPS] == 1:
        run_loop(service.listen())
        return
    with service.reserve() as reserved:
        listeners = open_listeners(service, reserved.getsockname()[1])
    service.announce(listeners[0].getsockname()[1])
    with suppress(TimeIsUp), service.drain.cutting_off(service.config.drain_timeout_s):
        run_in_threads(run_loop, listeners)


def open_listeners(service: Service, port: int) -> list[socket.socket]:
    """A listener for each loop, at a port that is reserved. Raises OSError."""
    return [service.open_listener(port, reuse_port=True) for _ in range(service.config[LOOPS])]


def run_in_threads(run_loop: Callable[[Place], None], places: Sequence[Place]) -> None:
    """Runs a loop for each place. Returns once every loop has.

    Where one fails, it raises that error at once, for the process to end.
    """
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def run(place: Place) -> None:
        error = None
        try:
            run_loop(place)
        except BaseException as raised:
            error = raised
        ended.put(error)

    for number, place in enumerate(places):
        Thread(target=run, args=(place,), name=f"loop-{number}", daemon=True).start()
    for _ in places:
        if (error := ended.get()) is not None:
            raise error
