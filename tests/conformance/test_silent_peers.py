"""A peer that stays silent where the service waits for it: others are served beside it, and it has a limited time.

What each wait is and how long it may last is in tests/wire/test_silent_peers.py. These tests show that each model
checks its connections, and that one client at a time is served again after the limit.
"""

import socket
import ssl
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sweetspot.interop import testing_pb2
from sweetspot.v1 import workload_pb2

from services.wire import Code
from tests.conformance.conftest import OWN_WIRE, Certified, one_at_a_time
from tests.serving import Serving, serving
from tests.wire import frames
from tests.wire_client import PATIENCE_S, RECEIVE_BYTES, WireClient

RUN, STREAM = "/sweetspot.v1.Workload/Run", "/grpc.testing.TestService/StreamingOutputCall"
SHORT = "; ".join(
    (
        "import sys",
        "from functools import partial",
        "from services.runtime import service",
        "service.Limits = partial(service.Limits, opening_s=1, stall_s=1)",
        "from services.__main__ import main",
        "main(sys.argv[3:])",
    )
)
"""A service whose peers have a second for each wait."""
SETTINGS = frames.frame(frames.SETTINGS)
OPENING = frames.PREFACE + SETTINGS + frames.frame(frames.SETTINGS, frames.ACK)
NO_WINDOW = frames.PREFACE + frames.frame(frames.SETTINGS, payload=struct.pack(">HI", 4, 0)) + OPENING[-9:]
"""SETTINGS_INITIAL_WINDOW_SIZE of 0, which is never opened (RFC 9113, section 6.9.2)."""
ECHO = frames.message(workload_pb2.RunRequest(payload=bytes(1000)).SerializeToString())
MUCH = frames.message(
    testing_pb2.StreamingOutputCallRequest(
        response_parameters=[testing_pb2.ResponseParameters(size=60_000)] * 10
    ).SerializeToString()
)

END = None
"""Of the connection."""
SILENT: dict[str, tuple[bytes, int | None]] = {
    "sends nothing": (b"", END),
    "sends half a preface": (frames.PREFACE[:10], END),
    "sends the preface alone": (frames.PREFACE, END),
    "never acknowledges SETTINGS": (frames.PREFACE + SETTINGS, END),
    "calls, and never acknowledges SETTINGS": (
        frames.PREFACE
        + SETTINGS
        + frames.headers(1, frames.request_to(RUN.encode()))
        + frames.data(1, ECHO, end_stream=True),
        END,
    ),
    "opens no window for a reply": (
        NO_WINDOW + frames.headers(1, frames.request_to(RUN.encode())) + frames.data(1, ECHO, end_stream=True),
        END,
    ),
    "opens no window for a stream": (
        NO_WINDOW + frames.headers(1, frames.request_to(STREAM.encode())) + frames.data(1, MUCH, end_stream=True),
        frames.RST_STREAM,
    ),
    "sends half a request": (
        OPENING + frames.headers(1, frames.request_to(RUN.encode())) + frames.data(1, ECHO[:500]),
        frames.HEADERS,
    ),
}
"""What such a peer sends, and how the service ends its wait: with that frame on the stream, or with the connection."""


@contextmanager
def connected(service: Serving) -> Iterator[socket.socket]:
    host, _, port = service.address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as peer:
        yield peer


def wait_for_end(peer: socket.socket, end: int | None) -> None:
    """Reads all that the service sends, and sends nothing."""
    received = b""
    while not any(frame.kind == end and frame.stream_id == 1 for frame in frames.parse(received)):
        data = peer.recv(RECEIVE_BYTES)
        if not data:
            assert end is END, "the connection ended, and not the call alone"
            return
        received += data


@pytest.mark.parametrize("model", OWN_WIRE)
def test_a_silent_peer_has_its_time_and_others_are_served(model: str) -> None:
    batches = [[kind] for kind in SILENT.values()] if one_at_a_time((model,)) else [[*SILENT.values()]]
    with serving(model, "--interop", interpreter=(sys.executable, "-c", SHORT)) as service:
        for batch in batches:
            with ExitStack() as stack:
                peers = [stack.enter_context(connected(service)) for _ in batch]
                for peer, (sent, _) in zip(peers, batch, strict=True):
                    peer.sendall(sent)
                if not one_at_a_time((model,)):
                    is_served(service)
                for peer, (_, end) in zip(peers, batch, strict=True):
                    wait_for_end(peer, end)
            is_served(service)
        service.wait_until(
            lambda reply: not (reply.connections or reply.calls_in_flight or reply.held_bytes), "something is left"
        )


def is_served(service: Serving) -> None:
    with WireClient(service.address) as client:
        assert client.call(RUN, b"").code is Code.OK


@pytest.mark.parametrize("model", OWN_WIRE)
def test_a_silent_peer_has_its_time_for_tls(model: str, certified: Certified) -> None:
    files = [f"--tls-{name}={certified.folder / name}.pem" for name in ("cert", "key")]
    context = ssl.create_default_context(cafile=certified.folder / "ca.pem")
    context.set_alpn_protocols(["h2"])
    with serving(model, *files, interpreter=(sys.executable, "-c", SHORT)) as service:
        with connected(service) as peer:
            peer.sendall(client_hello(context)[:50])
            wait_for_end(peer, END)
        with connected(service) as plain, context.wrap_socket(plain, server_hostname="localhost") as peer:
            wait_for_end(peer, END)


def client_hello(context: ssl.SSLContext) -> bytes:
    sent = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        handshake.do_handshake()
    return sent.read()


@pytest.mark.parametrize("model", [*OWN_WIRE, "backend"])
def test_a_connection_without_calls_has_the_age_that_is_configured(model: str) -> None:
    options = ("--max-connection-age-s", "0.5")
    with serving(model, *options, interpreter=(sys.executable, "-c", SHORT)) as service, connected(service) as peer:
        peer.sendall(OPENING + half_a_header_block())
        wait_for_end(peer, END)


def half_a_header_block() -> bytes:
    return frames.frame(frames.HEADERS, 0, 1, frames.hpack(frames.GRPC_REQUEST[:2]))
