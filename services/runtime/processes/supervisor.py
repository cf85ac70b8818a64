"""Supervises worker processes: forks them, replaces those that died, drains them all. What they do is the model's.

    service                          fork
    .-------------------------.  ------------> worker 0 ---.
    | waits for: a death,     |  ------------> worker 1 ---+--> the model
    | the drain, what else    |  ------------> worker 2 ---'
    | the model has it watch  |      ^
    '-------------------------'      '-- dead? again, after a pause that doubles with each early death

After Armstrong, Making reliable distributed systems in the presence of software errors (2003): one-for-one supervision.
"""

import logging
import math
import os
import socket
import time
from collections.abc import Callable, Sequence

from services.runtime.processes.children import Children, EndedProcess, Readable
from services.runtime.refusal import refuse
from services.runtime.service import Service
from services.runtime.workers import processes

EARLY_DEATH_S = 10.0
"""One that dies younger is taken for a fault that will come again."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0

_logger = logging.getLogger(__name__)


def pause_s(early_deaths: int) -> float:
    """Time until a worker is forked again that has died young so often in a row."""
    return min(FIRST_PAUSE_S * 2.0 ** min(early_deaths, 10), LONGEST_PAUSE_S)


def serve_at_one_port(service: Service, work: Callable[[int, Callable[[], None]], None]) -> None:
    """Serves with workers that each listen at the same port (SO_REUSEPORT). This process only reserves it.

    `work(port, ready)` runs in each worker. It listens, calls `ready`, and returns once it has drained.
    """
    with service.reserve() as reserved:
        port = reserved.getsockname()[1]
        supervisor = Supervisor(service, processes(service.config), lambda _: work(port, supervisor.ready))
        supervisor.start()
        service.announce(port)
        supervisor.run()
    supervisor.drain()


def serve_behind_a_front(
    service: Service,
    front: Callable[[socket.socket, Callable[[], None]], None],
    workers: Sequence[Callable[[Callable[[], None]], None]],
) -> None:
    """Serves with a process that has all connections, and other workers behind it.

    `front(listener, ready)` runs in worker 0, and `ready` is called once it can serve. Each of the `workers` runs in
    another process, and has no listener.
    """
    listener = service.open_listener()

    def work(number: int) -> None:
        if number == 0:
            front(listener, supervisor.ready)
        else:
            listener.close()
            workers[number - 1](supervisor.ready)

    supervisor = Supervisor(service, 1 + len(workers), work)
    supervisor.start()
    service.announce(listener.getsockname()[1])
    supervisor.run()
    listener.close()
    supervisor.drain()


class Supervisor:
    """`count` workers, numbered from 0. Each runs `work(its number)` until the service has drained."""

    def __init__(self, service: Service, count: int, work: Callable[[int], None]) -> None:
        self._service = service
        self._work = work
        self._children = Children(service)
        self._watched: dict[int, Callable[[], None]] = {}
        self._forked_s = [0.0] * count
        self._early_deaths = [0] * count
        self._due_s: dict[int, float] = {}
        """When to fork a worker, for each that does not live."""
        self._up = os.eventfd(0)  # one more for each worker that is ready

    def watch(self, other: Readable, ready: Callable[[], None]) -> None:
        """Has `run` call `ready` whenever `other` is readable."""
        self._children.watch(other)
        self._watched[other.fileno()] = ready

    def living(self) -> list[int]:
        """The workers that live, as far as is known."""
        return [number for number in range(len(self._forked_s)) if number not in self._due_s]

    def ready(self) -> None:
        """In a worker: from now on it serves."""
        os.eventfd_write(self._up, 1)

    def start(self) -> None:
        """Forks all and returns once each is ready. If one ends before, the service does, for the same reason."""
        for number in range(len(self._forked_s)):
            self._fork(number)
        awaited = len(self._forked_s)
        self._children.watch(self._up)
        while awaited > 0:
            readable, ended = self._children.wait()
            if self._service.drain.requested:
                break
            if ended:
                self._give_up(ended[0])
            if self._up in readable:
                awaited -= os.eventfd_read(self._up)
        self._children.unwatch(self._up)

    def run(self) -> None:
        """Replaces workers that die until the service is asked to stop. Then it starts those that are missing.

        Calls may wait for a missing worker, and a drain waits for these calls.
        """
        while not self._service.drain.requested:
            readable, ended = self._children.wait(self._wait_s())
            for end in ended:
                if end.status or not self._service.drain.requested:  # else it has drained already
                    self._schedule(end.number, str(end))
            if not self._service.drain.requested:
                for fd in readable & self._watched.keys():
                    self._watched[fd]()
                self._fork_those_due(time.monotonic())
        self._fork_those_due(math.inf)  # calls may wait for it, and would until the drain is cut off

    def drain(self) -> None:
        """Returns once all have drained; those that have not after `drain_timeout_s` are cut off."""
        self._children.drain()

    def _fork_those_due(self, now_s: float) -> None:
        for number in [number for number, due_s in self._due_s.items() if due_s <= now_s]:
            del self._due_s[number]
            try:
                self._fork(number)
            except OSError as error:  # fork(2): EAGAIN, ENOMEM
                self._schedule(number, f"worker process {number} cannot be started: {error.strerror}")

    def _fork(self, number: int) -> None:
        self._forked_s[number] = time.monotonic()
        self._children.fork(lambda: self._work(number), number)

    def _schedule(self, number: int, why: str) -> None:
        now_s = time.monotonic()
        if now_s - self._forked_s[number] >= EARLY_DEATH_S:
            self._early_deaths[number] = 0
        wait_s = pause_s(self._early_deaths[number])
        self._early_deaths[number] += 1
        self._due_s[number] = now_s + wait_s
        _logger.warning("%s; a new one starts in %.1f s", why, wait_s)

    def _wait_s(self) -> float | None:
        return max(min(self._due_s.values()) - time.monotonic(), 0.0) if self._due_s else None

    def _give_up(self, end: EndedProcess) -> None:
        if end.status > 0:
            raise SystemExit(end.status)  # it has printed why
        refuse(f"{self._service.model}: {end} before it was ready", 1)
