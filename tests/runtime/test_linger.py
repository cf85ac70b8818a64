"""A connection that ends waits for its peer to close, and for no peer longer than its time."""

import socket
import threading
import time

import pytest

from services.runtime.connections import linger

LINGER_S = 0.2


@pytest.mark.parametrize("pause_s", [LINGER_S / 4, 10 * LINGER_S], ids=["sends now and then", "sends nothing"])
def test_whatever_a_peer_sends_it_has_one_time_for_all_to_close(
    pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linger, "LINGER_S", LINGER_S)
    ours, peers = socket.socketpair()
    ended = threading.Event()

    def dribble() -> None:
        while not ended.wait(pause_s):
            peers.send(b"-")

    with ours, peers:
        peer = threading.Thread(target=dribble)
        peer.start()
        begun_s = time.monotonic()
        # A peer that would be waited for as long as it sends must not hang the test.
        threading.Timer(5 * LINGER_S, ended.set).start()
        linger.linger(ours)
        took_s = time.monotonic() - begun_s
        ended.set()
        peer.join()
    assert LINGER_S <= took_s < 4 * LINGER_S


def test_a_peer_that_closes_is_not_waited_for() -> None:
    ours, peers = socket.socketpair()
    peers.close()
    begun_s = time.monotonic()
    with ours:
        linger.linger(ours)
    assert time.monotonic() - begun_s < linger.LINGER_S
