"""One socket listens for both families if the machine can, and has an address that a client can dial."""

import socket

import pytest

from services.network.address import Address
from services.network.listen import STALL_S, host_to_listen_at, listen


@pytest.mark.parametrize("host", ["::", ""])
def test_every_address_is_both_families_in_one_socket(host: str) -> None:
    with listen(host_to_listen_at(host), 0) as listener:
        port = listener.getsockname()[1]
        for literal in ("127.0.0.1", "::1"):
            socket.create_connection((literal, port)).close()


def test_every_address_is_ipv4_alone_where_the_kernel_has_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    assert host_to_listen_at("::") == "0.0.0.0"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_a_literal_is_listened_at_alone(host: str) -> None:
    assert host_to_listen_at(host) == host
    with listen(host, 0) as listener:
        assert listener.getsockname()[0] == host


def test_a_name_is_listened_at_by_the_first_of_its_addresses_that_is_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", 0, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert host_to_listen_at("here") == "::1"
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found[:1])
    with pytest.raises(OSError, match="Cannot assign requested address"):
        host_to_listen_at("here")


def test_an_error_names_the_address() -> None:
    with listen("::1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use") as refused:
            listen("::1", port)
    assert refused.value.filename == str(Address("::1", port))


def test_a_connection_ends_when_its_peer_is_gone_whether_bytes_wait_for_it_or_not() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == STALL_S * 1000
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == STALL_S
