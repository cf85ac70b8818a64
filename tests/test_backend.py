"""The downstream service waits as long as it is asked to, for thousands at once."""

import json
import random
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from sweetspot.v1 import backend_pb2, control_pb2, workload_pb2

from services.backend import MAX_DELAY_US, draw_delay_us, payload
from services.wire import ClientCall, ClientSession, Code
from services.workload.run import FETCH_PATH
from tests.serving import Serving, serving

TIMEOUT_S = 20
MIB = 1024 * 1024
NEVER = backend_pb2.FetchRequest(delay_us=MAX_DELAY_US)
UNKNOWN_DISTRIBUTION = backend_pb2.FetchRequest.FromString(b"\x10\x63")
"""Field 2 is 99: the generated code takes no value that the enumeration has not."""


@pytest.fixture(scope="module")
def backend() -> Iterator[Serving]:
    with serving("backend") as started:
        yield started


class Client:
    """One connection to a backend, by hand: grpcio's client would itself cancel what is late."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.session = ClientSession("backend")

    def start(self, request: backend_pb2.FetchRequest | bytes, timeout_ns: int | None = None) -> ClientCall:
        message = request if isinstance(request, bytes) else request.SerializeToString()
        return self.session.start(FETCH_PATH, message, timeout_ns=timeout_ns)

    def ended(self, *calls: ClientCall) -> None:
        """Returns once all these calls have ended."""
        while any(call.code is None for call in calls):
            self.flush()
            self.session.receive_data(self._sock.recv(MIB))
        self.flush()

    def flush(self) -> None:
        while data := self.session.data_to_send():
            self._sock.sendall(data)


@contextmanager
def connected(backend: Serving) -> Iterator[Client]:
    host, _, port = backend.address.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as sock:
        yield Client(sock)


@pytest.fixture
def client(backend: Serving) -> Iterator[Client]:
    with connected(backend) as opened:
        yield opened


def wait_until_in_flight(backend: Serving, calls: int) -> None:
    """Polls Snapshot until the backend reports so many calls."""
    with grpc.insecure_channel(backend.control) as control:
        snapshot = control.unary_unary(
            "/sweetspot.v1.Control/Snapshot", response_deserializer=control_pb2.SnapshotReply.FromString
        )
        until = time.monotonic() + TIMEOUT_S
        while (seen := snapshot(b"", timeout=TIMEOUT_S).calls_in_flight) != calls:
            assert time.monotonic() < until, f"{seen} calls in flight, not {calls}"


def test_a_reply_comes_after_the_delay_and_has_the_size_that_was_asked_for(client: Client) -> None:
    started = time.monotonic()
    call = client.start(backend_pb2.FetchRequest(delay_us=30_000, reply_bytes=1000))
    client.ended(call)
    assert 0.030 <= time.monotonic() - started < 0.3
    assert call.reply is not None
    assert backend_pb2.FetchReply.FromString(call.reply) == backend_pb2.FetchReply(
        payload=payload(1000), delay_us=30_000
    )


def test_the_first_reply_of_a_connection_does_not_wait_for_a_delayed_acknowledgement(backend: Serving) -> None:
    def first_reply_s() -> float:
        with connected(backend) as client:
            started = time.monotonic()
            client.ended(client.start(backend_pb2.FetchRequest(delay_us=1000)))
            return time.monotonic() - started

    assert statistics.median(first_reply_s() for _ in range(5)) < 0.035


def test_thousands_wait_at_once(client: Client) -> None:
    started = time.monotonic()
    calls = [client.start(backend_pb2.FetchRequest(delay_us=500_000)) for _ in range(5000)]
    client.ended(*calls)
    assert {call.code for call in calls} == {Code.OK}
    assert time.monotonic() - started < 5, "2,500 s of waiting, one after the other"


def test_replies_come_in_the_order_in_which_they_are_due(client: Client) -> None:
    slow = client.start(backend_pb2.FetchRequest(delay_us=200_000))
    fast = client.start(backend_pb2.FetchRequest(delay_us=1000))
    client.ended(fast)
    assert slow.code is None


def test_a_deadline_ends_a_call_that_would_wait_longer(client: Client) -> None:
    call = client.start(NEVER, timeout_ns=50_000_000)
    started = time.monotonic()
    client.ended(call)
    assert call.code is Code.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1


def test_hundreds_that_are_given_up_at_once_free_their_timers_and_keep_the_connection(backend: Serving) -> None:
    with connected(backend) as client:
        client.ended(client.start(backend_pb2.FetchRequest()))  # before SETTINGS a client has at most 100 calls
        calls = [client.start(NEVER) for _ in range(900)]
        client.flush()
        wait_until_in_flight(backend, 900)
        for call in calls:
            client.session.cancel(call)
        client.flush()
        wait_until_in_flight(backend, 0)
        after = client.start(backend_pb2.FetchRequest())
        client.ended(after)
        assert after.code is Code.OK


def test_a_connection_that_is_lost_frees_its_timers(backend: Serving) -> None:
    with connected(backend) as client:
        client.start(NEVER)
        client.flush()
        wait_until_in_flight(backend, 1)
    wait_until_in_flight(backend, 0)


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (backend_pb2.FetchRequest(delay_us=MAX_DELAY_US + 1), Code.INVALID_ARGUMENT, "fetch.delay_us"),
        (backend_pb2.FetchRequest(reply_bytes=MIB + 1), Code.INVALID_ARGUMENT, "fetch.reply_bytes"),
        (UNKNOWN_DISTRIBUTION, Code.INVALID_ARGUMENT, "fetch.distribution"),
        (b"\xff", Code.INTERNAL, "not a sweetspot.v1.FetchRequest"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(
    client: Client, request_: backend_pb2.FetchRequest | bytes, code: Code, message: str
) -> None:
    call = client.start(request_)
    client.ended(call)
    assert call.code is code
    assert message in call.message


def test_a_drain_lets_the_calls_in_flight_finish() -> None:
    with serving("backend") as started, connected(started) as client:
        call = client.start(backend_pb2.FetchRequest(delay_us=500_000))
        client.flush()
        wait_until_in_flight(started, 1)
        started.process.terminate()
        client.ended(call)
        assert call.code is Code.OK
        assert started.process.wait(TIMEOUT_S) == 0


def test_a_drain_does_not_wait_for_a_client_that_never_reads() -> None:
    with serving("backend") as started, connected(started) as client:
        client.ended(client.start(backend_pb2.FetchRequest()))
        asked = time.monotonic()
        assert started.stop() == 0
        assert time.monotonic() - asked < 5


def test_a_drain_does_not_wait_beyond_its_time() -> None:
    with serving("backend", "--drain-timeout-s", "0.2") as started, connected(started) as client:
        client.start(NEVER)
        client.flush()
        wait_until_in_flight(started, 1)
        asked = time.monotonic()
        assert started.stop() == 0
        assert time.monotonic() - asked < 5


def test_a_sampled_call_is_a_server_span_below_its_callers(tmp_path: Path) -> None:
    spans = tmp_path / "spans.jsonl"
    with serving("backend", "--trace-file", str(spans)) as started:
        with connected(started) as client:
            call = client.session.start(FETCH_PATH, b"", metadata=[("traceparent", f"00-{'a' * 32}-{'b' * 16}-01")])
            client.ended(call, client.start(backend_pb2.FetchRequest()))
        assert started.stop() == 0
    exported = [
        span
        for line in spans.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    (server,) = (span for span in exported if span["name"] == "sweetspot.v1.Backend/Fetch")
    assert (server["traceId"], server["parentSpanId"]) == ("a" * 32, "b" * 16)


MEAN_US = 5000
CONSTANT, UNIFORM, EXPONENTIAL, LOGNORMAL = (
    workload_pb2.DISTRIBUTION_CONSTANT,
    workload_pb2.DISTRIBUTION_UNIFORM,
    workload_pb2.DISTRIBUTION_EXPONENTIAL,
    workload_pb2.DISTRIBUTION_LOGNORMAL,
)


def draw(distribution: workload_pb2.Distribution, mean_us: int = MEAN_US) -> list[int]:
    source = random.Random(1)
    return [draw_delay_us(source, distribution, mean_us) for _ in range(20_000)]


@pytest.mark.parametrize(
    ("distribution", "deviation_us"),
    [
        (CONSTANT, 0),
        (UNIFORM, MEAN_US / 3**0.5),  # (b - a) / sqrt(12), from 0 to twice the mean
        (EXPONENTIAL, MEAN_US),
        (LOGNORMAL, MEAN_US * (2.718281828 - 1) ** 0.5),  # sqrt(exp(sigma^2) - 1) for sigma 1
    ],
)
def test_each_distribution_has_the_mean_and_the_spread_that_it_says(
    distribution: workload_pb2.Distribution, deviation_us: float
) -> None:
    drawn_us = draw(distribution)
    assert statistics.fmean(drawn_us) == pytest.approx(MEAN_US, rel=0.03)
    assert statistics.pstdev(drawn_us) == pytest.approx(deviation_us, rel=0.1)


@pytest.mark.parametrize("distribution", [CONSTANT, UNIFORM, EXPONENTIAL, LOGNORMAL])
@pytest.mark.parametrize("mean_us", [0, 1, MAX_DELAY_US])
def test_no_delay_is_negative_or_above_the_highest(distribution: workload_pb2.Distribution, mean_us: int) -> None:
    drawn_us = draw(distribution, mean_us)
    assert min(drawn_us) >= 0
    assert max(drawn_us) <= min(MAX_DELAY_US, 100 * mean_us)


@pytest.mark.parametrize("size_bytes", [0, 1, 255, 256, 257, MIB])
def test_a_payload_has_its_size_and_is_always_the_same(size_bytes: int) -> None:
    first = payload(size_bytes)
    payload.cache_clear()
    assert len(first) == size_bytes
    assert payload(size_bytes) == first
