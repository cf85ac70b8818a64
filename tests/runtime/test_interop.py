"""Which calls TestService rejects, and which ones the model runs."""

import time
from dataclasses import dataclass

import pytest
from sweetspot.interop import testing_pb2 as pb

from services.runtime.answers.interop import MAX_RESPONSE_BYTES, MAX_RESPONSES, MAX_STREAM_BYTES, InteropRun
from services.runtime.answers.responders import respond
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import Service
from services.wire import CallCancelled, CallReceived, Code, RpcError
from services.workload.ledger import Ledger
from tests.runtime.ends import Ends
from tests.wire.ends import RawClient
from tests.wire.frames import message, request_to

UNARY, OUTPUT = "/grpc.testing.TestService/UnaryCall", "/grpc.testing.TestService/StreamingOutputCall"
INPUT, CHAT = "/grpc.testing.TestService/StreamingInputCall", "/grpc.testing.TestService/FullDuplexCall"
LEDGER = Ledger(10)
YES = pb.BoolValue(value=True)


def ends(*, interop: bool = True) -> Ends:
    service = Service("reactor", Config(interop=interop), drain=Drain())
    return Ends(service.open_session(), service)


def asking(*responses: pb.ResponseParameters) -> pb.StreamingOutputCallRequest:
    return pb.StreamingOutputCallRequest(response_parameters=responses)


def test_it_is_there_only_where_it_is_asked_for() -> None:
    without = ends(interop=False)
    call = without.client.start(UNARY, b"")
    without.talk()
    assert call.code is Code.UNIMPLEMENTED


def test_it_is_described_and_has_a_state_like_what_else_is_served() -> None:
    service = Service("reactor", Config(interop=True), drain=Drain())
    assert service.services == ["grpc.testing.TestService", "sweetspot.v1.Workload"]
    assert service.health.status("grpc.testing.TestService") == service.health.status("sweetspot.v1.Workload")


@pytest.mark.parametrize(("path", "streaming"), [(UNARY, False), (OUTPUT, True)])
def test_a_call_with_one_message_is_the_models_from_its_start_to_its_end(path: str, streaming: bool) -> None:
    pair = ends()
    call = pair.client.start(path, b"", streaming=streaming)
    pair.talk()
    pair.client.cancel(call)
    pair.talk()
    assert [type(event) for event in pair.events] == [CallReceived, CallCancelled]


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        (pb.SimpleRequest(response_compressed=YES), {}),
        (pb.SimpleRequest(expect_compressed=YES), {"gzip": True}),
        (pb.SimpleRequest(), {"metadata": [("x-grpc-test-echo-initial", "a")]}),
        (pb.SimpleRequest(), {"metadata": [("x-grpc-test-echo-trailing-bin", b"a")]}),
    ],
)
def test_what_no_handler_knows_of_is_answered_by_whoever_reads(
    asked: pb.SimpleRequest, options: dict[str, object]
) -> None:
    pair = ends()
    call = pair.client.start(UNARY, asked.SerializeToString(), **options)  # type: ignore[arg-type]
    pair.talk()
    assert (call.code, pair.events) == (Code.OK, [])


def test_metadata_that_could_not_be_sent_is_not_echoed() -> None:
    service = Service("reactor", Config(interop=True), drain=Drain())
    client = RawClient(server=service.open_session())
    asked = message(pb.SimpleRequest(expect_compressed=pb.BoolValue()).SerializeToString())
    stream_id = client.request(request_to(UNARY.encode(), (b"x-grpc-test-echo-initial", "é".encode())), asked)
    for event in client.flush():
        assert respond(client.server, service, event)
    answer = client.headers_of(stream_id)
    assert answer[b"grpc-status"] == b"0"
    assert b"x-grpc-test-echo-initial" not in answer


REFUSALS = {
    "a size below 0": (asking(pb.ResponseParameters(size=-1)), Code.INVALID_ARGUMENT),
    "too large a response": (asking(pb.ResponseParameters(size=MAX_RESPONSE_BYTES + 1)), Code.INVALID_ARGUMENT),
    "too many responses": (asking(*[pb.ResponseParameters()] * (MAX_RESPONSES + 1)), Code.INVALID_ARGUMENT),
    "too long an interval": (asking(pb.ResponseParameters(interval_us=60_000_001)), Code.INVALID_ARGUMENT),
    "an interval where the reader answers": (
        asking(pb.ResponseParameters(interval_us=1, compressed=YES)),
        Code.INVALID_ARGUMENT,
    ),
    "the status asked for": (
        pb.StreamingOutputCallRequest(response_status=pb.EchoStatus(code=Code.ABORTED, message="why")),
        Code.ABORTED,
    ),
    "a status that there is not": (
        pb.StreamingOutputCallRequest(response_status=pb.EchoStatus(code=99, message="why")),
        Code.UNKNOWN,
    ),
}


@pytest.mark.parametrize(("asked", "code"), REFUSALS.values(), ids=REFUSALS)
def test_a_stream_is_refused_and_what_still_comes_on_it_is_passed_over(
    asked: pb.StreamingOutputCallRequest, code: Code
) -> None:
    pair = ends()
    call = pair.client.start(CHAT, streaming=True)
    for _ in range(2):
        pair.client.send_message(call, asked.SerializeToString())
    pair.client.end_requests(call)
    pair.talk()
    assert (call.code, pair.messages, pair.server.calls_in_flight) == (code, [], 0)


@pytest.mark.parametrize("path", [INPUT, CHAT])
def test_what_is_no_message_is_internal(path: str) -> None:
    pair = ends()
    call = pair.client.start(path, streaming=path == CHAT)
    pair.client.send_message(call, b"\xff\xff\xff")
    pair.talk()
    assert call.code is Code.INTERNAL


def test_a_peer_that_reads_nothing_makes_no_more_pile_up_than_is_allowed() -> None:
    pair = ends()
    call = pair.client.start(CHAT, streaming=True)
    largest = asking(pb.ResponseParameters(size=MAX_RESPONSE_BYTES)).SerializeToString()
    for _ in range(MAX_STREAM_BYTES // MAX_RESPONSE_BYTES + 1):
        pair.client.send_message(call, largest)
    pair.talk()
    assert call.code is Code.RESOURCE_EXHAUSTED
    assert len(pair.messages) == MAX_STREAM_BYTES // MAX_RESPONSE_BYTES


@dataclass
class FakeCall:
    """What a handler may know of a call."""

    request: bytes
    received_ns: int = 0
    cancelled: bool = False
    deadline_ns: int | None = None


def test_a_run_pauses_before_each_response_of_a_stream() -> None:
    asked = asking(pb.ResponseParameters(size=3, interval_us=5), pb.ResponseParameters(size=0, interval_us=7))
    run = InteropRun(FakeCall(asked.SerializeToString()), b"", LEDGER, streams=True)
    assert [step.sleep.duration_us for step in run.steps] == [5, 7]
    bodies = []
    for step in run.steps:
        run.slept(step, time.monotonic_ns())
        bodies.append(pb.StreamingOutputCallResponse.FromString(run.reply()).payload.body)
    assert bodies == [bytes(3), b""]


def test_a_run_of_one_response_has_no_step() -> None:
    run = InteropRun(FakeCall(pb.SimpleRequest(response_size=2).SerializeToString()), b"", LEDGER, streams=False)
    assert (list(run.steps), pb.SimpleResponse.FromString(run.reply()).payload.body) == ([], bytes(2))


def test_an_empty_call_is_answered_with_nothing() -> None:
    assert InteropRun(FakeCall(b""), b"", LEDGER, streams=False).reply() == b""


def test_a_run_refuses_what_it_is_asked_to() -> None:
    asked = pb.SimpleRequest(response_status=pb.EchoStatus(code=Code.NOT_FOUND, message="gone"))
    with pytest.raises(RpcError) as refused:
        InteropRun(FakeCall(asked.SerializeToString()), b"", LEDGER, streams=False)
    assert (refused.value.code, refused.value.message) == (Code.NOT_FOUND, "gone")
