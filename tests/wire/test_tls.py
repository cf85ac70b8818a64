"""TLS at both ends in memory: ALPN, client certificates, alerts, and calls."""

import os
import ssl
from pathlib import Path

import pytest
import trustme

from services.wire import ClientSession, Code, ServerSession
from services.wire.tls import ALPN_HTTP2, TlsStream
from tests.wire.ends import SHAPES, ConnectionPair

NAME = "test.example"


def resident_bytes() -> int:
    """Of this process (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def contexts(authority: trustme.CA, *, mutual: bool = False) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The client's and the server's."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(server)
    server.set_alpn_protocols([ALPN_HTTP2])
    if mutual:
        server.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    client.set_alpn_protocols([ALPN_HTTP2])
    return client, server


def connect(
    client: ssl.SSLContext, server: ssl.SSLContext, *, chop: int | None = None, name: str = NAME
) -> ConnectionPair:
    return ConnectionPair(
        chop=chop,
        client=ClientSession(name, tls=client, server_hostname=name),
        server=ServerSession(SHAPES, tls=server),
    )


@pytest.mark.parametrize("chop", [None, 1, 100])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_call_goes_through(authority: trustme.CA, version: ssl.TLSVersion, chop: int | None) -> None:
    client, server = contexts(authority)
    client.maximum_version = version
    pair = connect(client, server, chop=chop)
    call = pair.client.start("/test/Unary", b"hello")
    pair.server.reply(pair.receive_call(), b"reply")
    pair.exchange()
    assert (call.code, call.reply) == (Code.OK, b"reply")


def test_a_connection_keeps_no_buffer_of_the_size_that_it_once_sent(authority: trustme.CA) -> None:
    client, server = contexts(authority)
    streams = []
    for _ in range(100):
        one, other = TlsStream(server, server_side=True), TlsStream(client, server_side=False, server_hostname=NAME)
        while not (one.established and other.established):
            other.decrypt(one.encrypt(b""))
            one.decrypt(other.encrypt(b""))
        streams.append((one, other))
    before = resident_bytes()
    for one, other in streams:
        other.decrypt(one.encrypt(bytes(256 * 1024)))
    # Two records of some 22 KiB each. Through buffers that take all at once it is 500 KiB.
    assert resident_bytes() - before < 128 * 1024 * len(streams)


def test_large_messages_go_through_both_ways(authority: trustme.CA) -> None:
    pair = connect(*contexts(authority))
    call = pair.client.start("/test/Unary", bytes(3_000_000))
    received = pair.receive_call()
    pair.server.reply(received, received.request)
    pair.exchange()
    assert call.reply == bytes(3_000_000)


def test_mutual_tls_takes_a_client_with_a_certificate(authority: trustme.CA) -> None:
    client, server = contexts(authority, mutual=True)
    authority.issue_cert("client.example").configure_cert(client)
    pair = connect(client, server)
    pair.client.start("/test/Unary", b"hello")
    assert pair.receive_call().request == b"hello"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_mutual_tls_refuses_a_client_without_one_and_tells_it_why(
    authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    client, server = contexts(authority, mutual=True)
    client.maximum_version = version
    pair = connect(client, server)
    call = pair.client.start("/test/Unary", b"")
    at_server, at_client = pair.exchange()
    assert at_server == []
    assert [event.call for event in at_client] == [call]
    assert call.code is Code.UNAVAILABLE
    assert "alert" in call.message.lower()
    assert pair.server.closed
    assert pair.client.closed


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("protocols", [None, ["http/1.1"]])
def test_a_peer_that_does_not_agree_on_http2_is_refused(
    authority: trustme.CA, side: str, protocols: list[str] | None
) -> None:
    client, server = contexts(authority)
    plain = ssl.create_default_context() if side == "client" else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if side == "client":
        authority.configure_trust(plain)
        client = plain
    else:
        authority.issue_cert(NAME).configure_cert(plain)
        server = plain
    if protocols is not None:
        plain.set_alpn_protocols(protocols)
    pair = connect(client, server)
    call = pair.client.start("/test/Unary", b"")
    at_server, _ = pair.exchange()
    pair.client.receive_data(b"")
    assert at_server == []
    assert pair.client.closed
    assert call.code is Code.UNAVAILABLE
    assert pair.server.closed


def test_a_server_with_another_name_is_refused_and_told_why(authority: trustme.CA) -> None:
    pair = connect(*contexts(authority), name="other.example")
    call = pair.client.start("/test/Unary", b"")
    pair.server.receive_data(pair.client.data_to_send())
    (ended,) = pair.client.receive_data(pair.server.data_to_send())
    assert ended.call is call
    assert "certificate verify failed" in call.message
    alert = pair.client.data_to_send()
    assert alert
    assert pair.server.receive_data(alert) == []
    assert pair.server.closed


@pytest.mark.parametrize("hello", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", bytes(100)])
def test_a_peer_without_tls_is_cut_off(authority: trustme.CA, hello: bytes) -> None:
    server = ServerSession(SHAPES, tls=contexts(authority)[1])
    assert server.receive_data(hello) == []
    assert server.closed
    assert server.data_to_send() == b""


def test_a_server_that_refuses_the_handshake_says_so_by_an_alert(authority: trustme.CA) -> None:
    client, context = contexts(authority)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    pair = connect(client, context)
    assert pair.to_server() == []
    assert pair.server.closed
    alert = pair.server.data_to_send()
    assert alert[:1] == b"\x15"  # RFC 8446, section 5.1: content type alert
    assert pair.server.data_to_send() == b""


def test_a_broken_record_ends_the_calls_in_flight(authority: trustme.CA) -> None:
    pair = connect(*contexts(authority))
    pair.client.start("/test/Unary", b"")
    call = pair.receive_call()
    events = pair.server.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert [event.call for event in events] == [call]
    assert pair.server.closed
    pair.server.reply(call, b"")


def test_abuse_over_tls_is_told_before_the_end(authority: trustme.CA) -> None:
    pair = connect(*contexts(authority))
    pair.exchange()
    for _ in range(202):
        pair.client._http2.ping(b"12345678")  # our client sends none by itself
    pair.to_server()
    assert pair.server.closed
    pair.to_client()
    assert pair.client.closed
