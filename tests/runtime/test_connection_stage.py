"""What the front of seda hands to its stages, and what it adds to their answers."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.readiness.loop import Loop
from services.runtime.service import Service
from services.runtime.stages.connection_stage import ConnectionStage
from services.runtime.stages.event import Event, StageAnswer, Status
from services.runtime.stages.ownership_table import OwnershipTable
from services.runtime.stages.route import Route
from services.wire import Code, ServerCall, Shape
from services.wire.request import RequestHead
from tests.runtime.rounds import take_round_now

STAGES = ["read", "admit", "compute", "call", "reply"]
STEPS = [workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=1))] * 2
PAYLOAD = bytes(100_000)
UNKNOWN = b"\x7a\x80\x80\x04" + bytes(65_536)


class Client:
    """A connection that sends nowhere."""

    def __init__(self) -> None:
        self.replies: list[workload_pb2.RunReply] = []
        self.code: Code | None = None
        self.when_read: list[Callable[[], None]] = []

    def send(self, _call: ServerCall, message: bytes) -> None:
        self.replies.append(workload_pb2.RunReply.FromString(message))

    def when_room(self, _call: ServerCall, then: Callable[[], None]) -> None:
        self.when_read.append(then)

    def finish(self, _call: ServerCall, code: Code, why: str = "") -> None:
        self.code = code


def front_before(handed: list[Event], loop: Loop | None = None) -> ConnectionStage:
    """A front whose stages after `read` take what is handed on into that list. With a `loop`, `reply` has a queue."""
    service = Service("seda", Config(), drain=Drain(), stages=STAGES)
    for name in ("read", "reply"):
        bypass = int(loop is None or name == "read")
        for setting, value in (("queue_bound", 10), ("batch", 10), ("workers", 1), ("bypass", bypass)):
            service.stages.rows[name].settings.set(setting, value)
    route = cast(Route, SimpleNamespace(hand=handed.append))
    return ConnectionStage(
        service, loop or Loop(), OwnershipTable(), route, route, held_up=lambda: False, give_up=lambda _: None
    )


def call(method: bytes, shape: Shape, request: bytes) -> ServerCall:
    received = ServerCall(1, RequestHead(b"/sweetspot.v1.Workload/" + method, (), 0), shape, 0)
    received.request = request
    return received


@pytest.mark.parametrize(
    ("method", "shape", "answers"), [(b"Run", Shape.UNARY, 1), (b"RunStream", Shape.SERVER_STREAMING, 2)]
)
def test_a_large_payload_goes_through_no_stage_and_with_the_last_reply(
    method: bytes, shape: Shape, answers: int
) -> None:
    handed: list[Event] = []
    front, client = front_before(handed), Client()
    request = workload_pb2.RunRequest(steps=STEPS, payload=PAYLOAD, key=7).SerializeToString() + UNKNOWN
    front.received(client, call(method, shape, request))
    (event,) = handed
    assert workload_pb2.RunRequest.FromString(event.request) == workload_pb2.RunRequest(steps=STEPS, key=7)
    for place in range(answers):
        reply = workload_pb2.RunReply(steps=place + 1).SerializeToString()
        front.reply.put(StageAnswer(event.number, place, reply), lambda _: None)
    front.reply.put(StageAnswer(event.number, answers, status=Status(Code.OK)), lambda _: None)
    assert [reply.payload for reply in client.replies] == [b""] * (answers - 1) + [PAYLOAD]
    assert [reply.steps for reply in client.replies] == list(range(1, answers + 1))
    assert client.code is Code.OK


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"\xff" * 5000, Code.INTERNAL),
        (workload_pb2.RunRequest(payload=bytes(1024 * 1024 + 1)).SerializeToString(), Code.INVALID_ARGUMENT),
    ],
)
def test_a_large_request_that_no_stage_would_run_is_handed_to_none(request_: bytes, code: Code) -> None:
    handed: list[Event] = []
    client = Client()
    front_before(handed).received(client, call(b"Run", Shape.UNARY, request_))
    assert (handed, client.code) == ([], code)


def test_an_answer_does_not_wait_for_the_large_ones_of_another_connection() -> None:
    handed: list[Event] = []
    loop = Loop()
    front, abuser, honest = front_before(handed, loop), Client(), Client()
    large = workload_pb2.RunRequest(payload=PAYLOAD).SerializeToString()
    for client, request in ((abuser, large), (abuser, large), (abuser, large), (honest, b"")):
        front.received(client, call(b"Run", Shape.UNARY, request))
    for event in handed:
        front.reply.put(StageAnswer(event.number, 0, b"", Status(Code.OK)), lambda _: None)
    answered = []
    while len(abuser.replies) < 3:
        take_round_now(loop)
        answered.append((len(abuser.replies), len(honest.replies)))
    assert answered == [(1, 0), (2, 1), (3, 1)]


@pytest.mark.parametrize("timeout_ns", [None, 1], ids=["its caller has read", "its time is over"])
def test_a_stream_that_comes_back_goes_on_once_and_not_before(timeout_ns: int | None) -> None:
    handed: list[Event] = []
    loop, client = Loop(), Client()
    front = front_before(handed, loop)
    head = RequestHead(b"/sweetspot.v1.Workload/RunStream", (), 0, timeout_ns=timeout_ns)
    front.received(client, ServerCall(1, head, Shape.SERVER_STREAMING, time.monotonic_ns()))
    event = handed.pop()
    front.reply.put(StageAnswer(event.number, 0, b"", rest=event), lambda _: None)
    take_round_now(loop)
    assert (handed, len(client.when_read)) == ([], 1)
    if timeout_ns is None:
        client.when_read[0]()
    else:
        take_round_now(loop)
    assert handed == [event]
    client.when_read[0]()
    assert handed == [event]
