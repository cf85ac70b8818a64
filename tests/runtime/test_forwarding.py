"""Calls that another worker runs: what the asking side sends about them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.processes import paced_queue
from services.runtime.processes.call_queue import CallQueue
from services.runtime.processes.forwarding import AHEAD, Remote
from services.runtime.processes.link import Message
from services.runtime.readiness.loop import Loop
from services.runtime.service import Service
from services.wire import Code, ServerCall, Shape
from services.wire.request import RequestHead
from tests.runtime.rounds import take_round_now

RUN_STREAM = RequestHead(b"/sweetspot.v1.Workload/RunStream", (), 0)


class Recorded:
    """A link that sends nowhere."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    def start(self) -> None: ...

    def send(self, *message: object, payload_bytes: int = 0) -> None:
        self.sent.append(message)


class Full:
    """A connection whose session has no memory for a reply: it ends the call."""

    def send(self, call: ServerCall, _message: bytes) -> None:
        call.cancelled = True

    def when_room(self, _call: ServerCall, then: Callable[[], None]) -> None:
        then()

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None: ...


class Client:
    """A connection that always has room."""

    def __init__(self) -> None:
        self.replies: list[workload_pb2.RunReply] = []
        self.code: Code | None = None

    def send(self, _call: ServerCall, message: bytes) -> None:
        self.replies.append(workload_pb2.RunReply.FromString(message))

    def when_room(self, _call: ServerCall, then: Callable[[], None]) -> None:
        then()

    def finish(self, _call: ServerCall, code: Code, why: str = "") -> None:
        self.code = code


@dataclass
class Asking:
    """A remote, what it sends, and how it receives."""

    loop: Loop = field(default_factory=Loop)
    link: Recorded = field(default_factory=Recorded)

    def __post_init__(self) -> None:
        service = Service("partitioned", Config(), drain=Drain())
        self.remote = Remote("worker-1", self._open_link, service, self.loop, CallQueue("worker-1", service))
        self.remote.connect()

    def _open_link(self, received: Callable[[list[Message]], None], lost: Callable[[], None]) -> Recorded:
        self.receive, self.lost = received, lost
        return self.link

    def run(self, client: Client, method: bytes, shape: Shape, request: bytes) -> None:
        call = ServerCall(1, RequestHead(b"/sweetspot.v1.Workload/" + method, (), 0), shape, 0)
        call.request = request
        self.remote.run(client, call)


STEPS = [workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=1))] * 2
PAYLOAD = bytes(100_000)


@pytest.mark.parametrize(
    ("method", "shape", "replies"), [(b"Run", Shape.UNARY, 1), (b"RunStream", Shape.SERVER_STREAMING, 2)]
)
def test_a_large_payload_is_not_sent_and_goes_with_the_last_reply(method: bytes, shape: Shape, replies: int) -> None:
    asking, client = Asking(), Client()
    plan = workload_pb2.RunRequest(steps=STEPS, key=7)
    asking.run(client, method, shape, workload_pb2.RunRequest(steps=STEPS, payload=PAYLOAD, key=7).SerializeToString())
    kind, number, _, _, request = asking.link.sent[-1]
    assert (kind, request) == ("run", plan.SerializeToString())
    for place in range(replies):
        asking.receive([("message", number, workload_pb2.RunReply(steps=place + 1).SerializeToString())])
    asking.receive([("end", number, Code.OK, "")])
    assert [reply.payload for reply in client.replies] == [b""] * (replies - 1) + [PAYLOAD]
    assert [reply.steps for reply in client.replies] == list(range(1, replies + 1))
    assert client.code is Code.OK


def test_a_large_request_that_no_worker_would_run_is_not_sent() -> None:
    asking, client = Asking(), Client()
    asking.run(client, b"Run", Shape.UNARY, workload_pb2.RunRequest(payload=bytes(2**20 + 1)).SerializeToString())
    assert (asking.link.sent, client.code) == ([], Code.INVALID_ARGUMENT)


def test_a_reply_does_not_wait_for_all_those_of_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced_queue, "TURN_NS", 0)
    asking, abuser, honest = Asking(), Client(), Client()
    for client in (abuser, abuser, abuser, honest):
        asking.run(client, b"Run", Shape.UNARY, b"")
    asking.receive([("message", number, b"") for number in (1, 2, 3, 4)])
    answered = [len(honest.replies)]
    while not honest.replies:
        take_round_now(asking.loop)
        answered.append(len(honest.replies))
    assert answered == [0, 0, 1]
    assert len(abuser.replies) == 2


def test_a_call_waits_for_few_of_another_connection() -> None:
    asking, abuser, honest = Asking(), Client(), Client()
    for client in (*[abuser] * 100, honest):
        asking.run(client, b"Run", Shape.UNARY, b"")
    assert len(asking.link.sent) == AHEAD
    asking.receive([("begun", AHEAD, 0)])
    assert len(asking.link.sent) == 2 * AHEAD
    sent = [number for _, number, *_ in asking.link.sent]
    asking.receive([("message", number, b"") for number in sent])
    assert len(honest.replies) == 1


def test_calls_that_wait_for_a_worker_that_dies_wait_for_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a turn was not over: what is left of it makes room for calls on the link that is gone."""
    monkeypatch.setattr(paced_queue, "TURN_NS", 0)
    asking, begun, waiting = Asking(), Client(), Client()
    for client in (*[begun] * AHEAD, waiting):
        asking.run(client, b"Run", Shape.UNARY, b"")
    asking.receive([("message", 1, b""), ("begun", AHEAD, 0)])
    asking.lost()
    assert (begun.code, waiting.code) == (Code.UNAVAILABLE, None)
    assert len(asking.link.sent) == AHEAD + 1


def test_a_stream_that_finds_no_memory_for_its_reply_is_cancelled_where_it_runs() -> None:
    link, receivers = Recorded(), []

    def open_link(received: Callable[[list[Message]], None], lost: Callable[[], None]) -> Recorded:
        receivers.append(received)
        return link

    service = Service("partitioned", Config(), drain=Drain())
    remote = Remote("worker-1", open_link, service, Loop(), CallQueue("worker-1", service))
    remote.connect()
    remote.run(Full(), ServerCall(1, RUN_STREAM, Shape.SERVER_STREAMING, 0))
    receivers[0]([("message", 1, b"reply")])
    assert link.sent[-1] == ("cancel", 1)
