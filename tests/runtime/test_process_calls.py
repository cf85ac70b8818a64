"""Calls of one queue that several worker processes take from."""

from collections.abc import Callable
from typing import Any

import pytest

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.processes.forwarding import AHEAD
from services.runtime.processes.link import Message
from services.runtime.processes.mailbox import Mailbox
from services.runtime.processes.process_calls import ProcessCalls
from services.runtime.readiness.loop import Loop
from services.runtime.service import Service
from services.wire import Code, ServerCall, Shape
from services.wire.request import RequestHead

RUN = RequestHead(b"/sweetspot.v1.Workload/Run", (), 0)


class Worker:
    """A link to a worker: it stores what is sent."""

    def __init__(self, received: Callable[[list[Message]], None], lost: Callable[[], None]) -> None:
        self.receive, self.lose = received, lost
        self.runs: list[int] = []

    def start(self) -> None: ...

    def send(self, *message: Any, payload_bytes: int = 0) -> None:
        if message[0] == "run":
            self.runs.append(message[1])


class Client:
    """A connection that stores how its calls ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[Code, str]] = []

    def send(self, call: ServerCall, message: bytes) -> None: ...

    def when_room(self, call: ServerCall, then: Callable[[], None]) -> None: ...

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None:
        self.ends.append((code, why))


class Front:
    """Two workers, and a client."""

    def __init__(self) -> None:
        self.drain = Drain()
        self.service = Service("proactor", Config(of_model={"queue_bound": 100}), drain=self.drain)
        self.workers: list[Worker] = []
        self.client = Client()
        self.calls = ProcessCalls(self.service, Loop(), [Mailbox(), Mailbox()], self._make_link)
        self.calls.connect()

    def _make_link(self, sock: Any, **callbacks: Callable[..., None]) -> Worker:
        sock.close()
        self.workers.append(Worker(**callbacks))
        return self.workers[-1]

    def call(self, calls: int = 1) -> None:
        for _ in range(calls):
            self.calls.received(self.client, ServerCall(1, RUN, Shape.UNARY, 0))

    def running(self) -> list[int]:
        return [len(worker.runs) for worker in self.workers]


@pytest.fixture
def front() -> Front:
    return Front()


def test_a_call_goes_to_the_worker_that_has_fewest(front: Front) -> None:
    front.call(4)
    assert front.running() == [2, 2]
    front.workers[1].receive([("end", 1, Code.OK, ""), ("end", 2, Code.OK, "")])
    front.call(2)
    assert front.running() == [2, 4]


def test_a_call_that_no_worker_has_room_for_goes_to_the_first_that_has(front: Front) -> None:
    front.call(2 * AHEAD + 1)
    assert front.running() == [AHEAD, AHEAD]
    front.workers[1].receive([("begun", 1, 0)])
    assert front.running() == [AHEAD, AHEAD + 1]


def test_calls_of_the_queue_are_for_the_workers_that_are_left_when_one_dies_in_a_drain(front: Front) -> None:
    front.call(2 * AHEAD + 2)
    front.drain.request()
    front.workers[0].lose()
    assert front.client.ends == [(Code.UNAVAILABLE, "worker-1 has died")] * AHEAD
    front.workers[1].receive([("begun", 2, 0)])
    assert front.running() == [AHEAD, AHEAD + 2]
    front.workers[1].lose()
    front.call()
    assert front.client.ends[AHEAD:] == [(Code.UNAVAILABLE, "worker-2 has died")] * (AHEAD + 3)
    assert front.service.queue.value() == 0
