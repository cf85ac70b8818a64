"""Where shards wait for each other, and agree when to begin without trusting any wall clock.

    shard 1                     shard 0 (listens)                     shard 2
      | --- "shard 1 of 3" ------> | <----- "shard 2 of 3" ------------ |
      | <-- "clock?" ------------- |         all have come: compare     |
      | --- "123456" ------------> |         clocks, 16 times each      |
      | <-- "begin 987654 40" ---- | --- "begin 555555 60" -----------> |

Shard 0 reads its monotonic clock before it asks and after it is answered; the other clock was read somewhere between.
The quickest of the exchanges bounds their difference to half its round trip (Cristian, "Probabilistic clock
synchronization", 1989): 20 to 100 us within a cluster. So each receives the instant on its own clock, with that
uncertainty. A shard that does not come, or comes twice, ends the run for all of them. Must not know what begins.
"""

import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic_ns as clock
from time import sleep
from typing import Any

from services.driver.schedule import NS_PER_S
from services.driver.shard import Shard
from services.network.address import Address
from services.network.connect import connect
from services.network.listen import EVERY, host_to_listen_at, listen

_EXCHANGES = 16
# From the last word of shard 0 to the beginning: long against a message on its way.
_LEAD_NS = 300_000_000
# A name that is not known yet, a port without a listener yet: retried after this time.
_RETRY_S = 0.05
_MAX_LINE_BYTES = 200


class BarrierError(Exception):
    """The shards did not come together: one line that names the shard that is missing or too many."""


@dataclass(frozen=True, slots=True)
class ShardStart:
    """When to begin, on this process's monotonic clock."""

    begin_ns: int | None
    """None: at once."""
    uncertainty_ns: int
    """By how much at most this clock's reading of that instant differs from shard 0's."""


def meet(shard: Shard, at: Address, timeout_s: float) -> ShardStart:
    """Waits for all shards: shard 0 listens on the port of `at`, the others connect to it. Raises BarrierError."""
    deadline_ns = clock() + round(timeout_s * NS_PER_S)
    if shard.index == 0:
        return _await_others(shard.of, at.port, deadline_ns, timeout_s)
    return _join(shard, at, deadline_ns, timeout_s)


class _Peer:
    """Lines of JSON to and from another shard. Its methods raise OSError, and ValueError for what is no such line."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = connection.makefile("rb")

    def send(self, message: object) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, deadline_ns: int) -> Any:
        self._connection.settimeout(max(deadline_ns - clock(), 1) / NS_PER_S)
        line = self._lines.readline(_MAX_LINE_BYTES)
        if not line:
            raise ConnectionError("closed")
        return json.loads(line)


def _await_others(of: int, port: int, deadline_ns: int, timeout_s: float) -> ShardStart:
    peers: dict[int, _Peer] = {}
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(port, of))
        while len(peers) < of - 1:
            listener.settimeout(max(deadline_ns - clock(), 1) / NS_PER_S)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                missing = sorted(set(range(1, of)) - peers.keys())
                why = f"shard {missing[0]} of {of} did not connect within {timeout_s:g} s"
                raise _reject(peers, why) from None
            stack.enter_context(connection)
            peer = _Peer(connection)
            try:
                hello = peer.receive(deadline_ns)
                index, theirs = hello["shard"], hello["of"]
            except (OSError, ValueError, TypeError, KeyError):
                continue  # the peer is no shard
            if theirs != of:
                raise _reject({**peers, -1: peer}, f"shard {index} was started for {theirs} shards, not {of}")
            if index in peers or index == 0:
                raise _reject({**peers, -1: peer}, f"shard {index} connected twice: start each shard once")
            peers[index] = peer
        try:
            offsets = {index: _compare(peer, deadline_ns) for index, peer in peers.items()}
            begin_ns = clock() + _LEAD_NS
            for index, peer in peers.items():
                offset_ns, uncertainty_ns = offsets[index]
                peer.send({"begin_ns": begin_ns + offset_ns, "uncertainty_ns": uncertainty_ns})
        except (OSError, ValueError) as error:
            raise _reject(peers, f"the connection to a shard broke before the start: {error}") from None
    return ShardStart(begin_ns, 0)


def _listen(port: int, of: int) -> socket.socket:
    try:
        return listen(host_to_listen_at(EVERY), port, backlog=of)
    except OSError as error:
        raise BarrierError(f"cannot listen for the other shards on port {port}: {error.strerror}") from None


def _compare(peer: _Peer, deadline_ns: int) -> tuple[int, int]:
    """What makes a time of this clock one of the peer's, and by how much that may be wrong."""

    def exchange() -> tuple[int, int]:
        asked_ns = clock()
        peer.send("clock?")
        theirs_ns = peer.receive(deadline_ns)
        received_ns = clock()
        return (received_ns - asked_ns) // 2, int(theirs_ns) - (asked_ns + received_ns) // 2

    uncertainty_ns, offset_ns = min(exchange() for _ in range(_EXCHANGES))
    return offset_ns, uncertainty_ns


def _reject(peers: Mapping[int, _Peer], why: str) -> BarrierError:
    """Sends every connected shard the reason why there will be no run."""
    for peer in peers.values():
        try:
            peer.send({"void": why})
        except OSError:
            continue  # it has left
    return BarrierError(why)


def _join(shard: Shard, at: Address, deadline_ns: int, timeout_s: float) -> ShardStart:
    with _connect(at, deadline_ns, timeout_s) as connection:
        peer = _Peer(connection)
        try:
            peer.send({"shard": shard.index, "of": shard.of})
            while (message := peer.receive(deadline_ns)) == "clock?":
                peer.send(clock())
        except (OSError, ValueError) as error:
            raise BarrierError(f"the connection to shard 0 at {at} broke before the start: {error}") from None
    if "void" in message:
        raise BarrierError(message["void"])
    return ShardStart(message["begin_ns"], message["uncertainty_ns"])


def _connect(at: Address, deadline_ns: int, timeout_s: float) -> socket.socket:
    why = "no process listens"
    while (left_ns := deadline_ns - clock()) > 0:
        try:
            return connect(at, left_ns / NS_PER_S)
        except OSError as error:
            why = error.strerror or str(error)
            sleep(_RETRY_S)
    raise BarrierError(f"shard 0 at {at} cannot be reached within {timeout_s:g} s: {why}")
