"""grpc.testing.TestService on every model that owns its sockets, with the clients of grpcio, of Go and our own.
Our own client is for tests that read the flag of a compressed message, because grpcio does not expose it. Cases and
their names are those of gRPC's doc/interop-test-descriptions.md.
"""

import queue
import ssl
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from sweetspot.interop import testing_pb2 as pb

from services.wire import Code, MessageReceived
from tests.conformance.conftest import OWN_WIRE, Certified
from tests.go_tools import GRPC_CLIENT, go_tool
from tests.serving import Serving
from tests.wire_client import WireClient

TIMEOUT_S = 20
SERVICE = "/grpc.testing.TestService"
LARGE_REQUEST, LARGE_RESPONSE = 271_828, 314_159
REQUESTS, RESPONSES = (27_182, 8, 1_828, 45_904), (31_415, 9, 2_653, 58_979)
STATUS_MESSAGE = "test status message"
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
INITIAL, TRAILING = (
    ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
    (
        "x-grpc-test-echo-trailing-bin",
        b"\x0a\x0b\x0a\x0b\x0a\x0b",
    ),
)


class TestService:
    """The service's methods on a channel of grpcio's."""

    __test__ = False

    def __init__(self, channel: grpc.Channel) -> None:
        def method(make: Any, name: str, request: Any, response: Any) -> Any:
            return make(f"{SERVICE}/{name}", request.SerializeToString, response.FromString)

        asked, response = pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse
        self.channel = channel
        self.empty = method(channel.unary_unary, "EmptyCall", pb.Empty, pb.Empty)
        self.unary = method(channel.unary_unary, "UnaryCall", pb.SimpleRequest, pb.SimpleResponse)
        self.output = method(channel.unary_stream, "StreamingOutputCall", asked, response)
        self.input = method(
            channel.stream_unary, "StreamingInputCall", pb.StreamingInputCallRequest, pb.StreamingInputCallResponse
        )
        self.full_duplex = method(channel.stream_stream, "FullDuplexCall", asked, response)


class Said:
    """Requests of a stream, sent one at a time; `None` ends them."""

    def __init__(self) -> None:
        self._said: queue.Queue[Any] = queue.Queue()
        self.say = self._said.put

    def __iter__(self) -> Iterator[Any]:
        return iter(self._said.get, None)


def payload(size_bytes: int) -> pb.Payload:
    return pb.Payload(body=bytes(size_bytes))


def large(**fields: Any) -> pb.SimpleRequest:
    return pb.SimpleRequest(response_size=LARGE_RESPONSE, payload=payload(LARGE_REQUEST), **fields)


def asking_for(*sizes_bytes: int, sent_bytes: int = 0) -> pb.StreamingOutputCallRequest:
    wanted = [pb.ResponseParameters(size=size) for size in sizes_bytes]
    return pb.StreamingOutputCallRequest(response_parameters=wanted, payload=payload(sent_bytes))


def status_of(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as failed:
        call()
    return failed.value.code(), failed.value.details()


def empty_unary(service: TestService) -> None:
    assert service.empty(pb.Empty(), timeout=TIMEOUT_S) == pb.Empty()


def large_unary(service: TestService) -> None:
    assert service.unary(large(), timeout=TIMEOUT_S).payload == payload(LARGE_RESPONSE)


def client_streaming(service: TestService) -> None:
    requests = (pb.StreamingInputCallRequest(payload=payload(size)) for size in REQUESTS)
    assert service.input(requests, timeout=TIMEOUT_S).aggregated_payload_size == 74_922


def server_streaming(service: TestService) -> None:
    replies = service.output(asking_for(*RESPONSES), timeout=TIMEOUT_S)
    assert [len(reply.payload.body) for reply in replies] == list(RESPONSES)


def server_streaming_with_intervals(service: TestService) -> None:
    wanted = [pb.ResponseParameters(size=size, interval_us=1000) for size in RESPONSES]
    replies = service.output(pb.StreamingOutputCallRequest(response_parameters=wanted), timeout=TIMEOUT_S)
    assert [len(reply.payload.body) for reply in replies] == list(RESPONSES)


def ping_pong(service: TestService) -> None:
    said = Said()
    replies = service.full_duplex(iter(said), timeout=TIMEOUT_S)
    for request, response in zip(REQUESTS, RESPONSES, strict=True):
        said.say(asking_for(response, sent_bytes=request))
        assert next(replies).payload == payload(response)
    said.say(None)
    assert list(replies) == []


def empty_stream(service: TestService) -> None:
    assert list(service.full_duplex(iter(()), timeout=TIMEOUT_S)) == []


def cancel_after_begin(service: TestService) -> None:
    said = Said()
    call = service.input.future(iter(said), timeout=TIMEOUT_S)
    call.cancel()
    said.say(None)
    assert call.code() is grpc.StatusCode.CANCELLED


def cancel_after_first_response(service: TestService) -> None:
    said = Said()
    call = service.full_duplex(iter(said), timeout=TIMEOUT_S)
    said.say(asking_for(31_415, sent_bytes=27_182))
    assert len(next(call).payload.body) == 31_415
    call.cancel()
    said.say(None)
    assert call.code() is grpc.StatusCode.CANCELLED


def timeout_on_sleeping_server(service: TestService) -> None:
    said = Said()
    call = service.full_duplex(iter(said), timeout=0.001)
    said.say(asking_for(sent_bytes=27_182))
    assert status_of(lambda: next(call))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    said.say(None)


def custom_metadata(service: TestService) -> None:
    def echoed(call: Any) -> None:
        assert INITIAL in [tuple(pair) for pair in call.initial_metadata()]
        assert TRAILING in [tuple(pair) for pair in call.trailing_metadata()]

    asked = pb.SimpleRequest(response_size=1, payload=payload(1))
    _, call = service.unary.with_call(asked, metadata=(INITIAL, TRAILING), timeout=TIMEOUT_S)
    echoed(call)
    stream = service.full_duplex(iter([asking_for(1)]), metadata=(INITIAL, TRAILING), timeout=TIMEOUT_S)
    assert len(list(stream)) == 1
    echoed(stream)


def status_code_and_message(service: TestService) -> None:
    status = pb.EchoStatus(code=2, message=STATUS_MESSAGE)
    expected = (grpc.StatusCode.UNKNOWN, STATUS_MESSAGE)
    asked = pb.StreamingOutputCallRequest(response_status=status)
    assert status_of(lambda: service.unary(pb.SimpleRequest(response_status=status), timeout=TIMEOUT_S)) == expected
    assert status_of(lambda: list(service.full_duplex(iter([asked]), timeout=TIMEOUT_S))) == expected


def special_status_message(service: TestService) -> None:
    asked = pb.SimpleRequest(response_status=pb.EchoStatus(code=2, message=SPECIAL_MESSAGE))
    assert status_of(lambda: service.unary(asked, timeout=TIMEOUT_S)) == (grpc.StatusCode.UNKNOWN, SPECIAL_MESSAGE)


def unimplemented_method(service: TestService) -> None:
    unknown = service.channel.unary_unary(f"{SERVICE}/UnimplementedCall")
    assert status_of(lambda: unknown(b"", timeout=TIMEOUT_S))[0] is grpc.StatusCode.UNIMPLEMENTED


def unimplemented_service(service: TestService) -> None:
    unknown = service.channel.unary_unary("/grpc.testing.UnimplementedService/UnimplementedCall")
    assert status_of(lambda: unknown(b"", timeout=TIMEOUT_S))[0] is grpc.StatusCode.UNIMPLEMENTED


def client_compressed_unary(service: TestService) -> None:
    expecting = large(expect_compressed=pb.BoolValue(value=True))
    assert status_of(lambda: service.unary(expecting, timeout=TIMEOUT_S))[0] is grpc.StatusCode.INVALID_ARGUMENT
    reply = service.unary(expecting, timeout=TIMEOUT_S, compression=grpc.Compression.Gzip)
    assert reply.payload == payload(LARGE_RESPONSE)
    plain = large(expect_compressed=pb.BoolValue(value=False))
    assert service.unary(plain, timeout=TIMEOUT_S).payload == payload(LARGE_RESPONSE)


CASES: tuple[Callable[[TestService], None], ...] = (
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    server_streaming_with_intervals,
    ping_pong,
    empty_stream,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    client_compressed_unary,
)
named_cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


@named_cases
def test_grpcio_passes(interop: Serving, case: Callable[[TestService], None]) -> None:
    with grpc.insecure_channel(interop.address) as channel:
        case(TestService(channel))


@named_cases
def test_grpcio_passes_over_tls(secure_channel: grpc.Channel, case: Callable[[TestService], None]) -> None:
    case(TestService(secure_channel))


def server_compressed_unary(client: WireClient) -> None:
    for compressed in (True, False):
        asked = large(response_compressed=pb.BoolValue(value=compressed))
        call = client.call(f"{SERVICE}/UnaryCall", asked.SerializeToString())
        assert (call.code, call.compressed) == (Code.OK, compressed)
        assert pb.SimpleResponse.FromString(call.reply or b"").payload == payload(LARGE_RESPONSE)


def server_compressed_streaming(client: WireClient) -> None:
    wanted = [
        pb.ResponseParameters(size=size, compressed=pb.BoolValue(value=compressed))
        for size, compressed in ((31_415, True), (92_653, False))
    ]
    asked = pb.StreamingOutputCallRequest(response_parameters=wanted)
    call = client.call(f"{SERVICE}/StreamingOutputCall", asked.SerializeToString(), streaming=True)
    assert call.code is Code.OK
    assert [received.compressed for received in client.received] == [True, False]
    assert [size_of(received) for received in client.received] == [31_415, 92_653]


def size_of(received: MessageReceived) -> int:
    return len(pb.StreamingOutputCallResponse.FromString(received.message).payload.body)


def client_compressed_streaming(client: WireClient) -> None:
    probe = pb.StreamingInputCallRequest(expect_compressed=pb.BoolValue(value=True), payload=payload(27_182))
    refused = client.call(f"{SERVICE}/StreamingInputCall", probe.SerializeToString())
    assert refused.code is Code.INVALID_ARGUMENT
    call = client.session.start(f"{SERVICE}/StreamingInputCall", gzip=True)
    for size, compressed in ((27_182, True), (45_904, False)):
        expecting = pb.StreamingInputCallRequest(
            expect_compressed=pb.BoolValue(value=compressed), payload=payload(size)
        )
        client.session.send_message(call, expecting.SerializeToString(), gzip=compressed)
    client.session.end_requests(call)
    client.wait_for(lambda: call.code is not None)
    assert call.code is Code.OK
    assert pb.StreamingInputCallResponse.FromString(call.reply or b"").aggregated_payload_size == 73_086


COMPRESSED = pytest.mark.parametrize(
    "case",
    [server_compressed_unary, server_compressed_streaming, client_compressed_streaming],
    ids=lambda case: case.__name__,
)


@COMPRESSED
def test_our_own_client_passes(interop: Serving, case: Callable[[WireClient], None]) -> None:
    with WireClient(interop.address) as client:
        case(client)


@COMPRESSED
def test_our_own_client_passes_over_tls(
    secure: Serving, certified: Certified, case: Callable[[WireClient], None]
) -> None:
    trusting = ssl.create_default_context()
    trusting.set_alpn_protocols(["h2"])
    certified.authority.configure_trust(trusting)
    with WireClient(secure.address, trusting) as client:
        case(client)


GO_CASES = (
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
)


def run_go_client(serving: Serving, case: str, *options: str) -> None:
    host, port = serving.address.split(":")
    command = [go_tool(GRPC_CLIENT), f"-server_host={host}", f"-server_port={port}", f"-test_case={case}", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("case", GO_CASES)
def test_gos_client_passes(interop: Serving, case: str) -> None:
    run_go_client(interop, case)


# TLS is of the wire, which all models share: Go's is asked of one in `make test`, of the others in `make soak`.
@pytest.mark.parametrize(
    "secure", [OWN_WIRE[0], *(pytest.param(name, marks=pytest.mark.soak) for name in OWN_WIRE[1:])], indirect=True
)
@pytest.mark.parametrize("case", GO_CASES)
def test_gos_client_passes_over_tls(secure: Serving, certified: Certified, case: str) -> None:
    authority = certified.folder / "ca.pem"
    run_go_client(secure, case, "-use_tls", "-use_test_ca", f"-ca_file={authority}", "-server_host_override=localhost")
