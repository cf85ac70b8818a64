"""What a connection has read is dealt with a part at a time, each event once and in order."""

import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.connections import turns
from services.runtime.connections.turns import Turns
from services.runtime.service import WORKLOAD_SHAPES
from services.wire import CallCancelled, CallReceived, ClientSession, ServerCall, ServerEvent, ServerSession

PATH = "/sweetspot.v1.Workload/Run"
CALLS = 20


class Peer:
    """A session that was asked for many calls with one read, and what it made happen."""

    def __init__(self, payload_bytes: int) -> None:
        self.session = ServerSession(WORKLOAD_SHAPES)
        self.turns = Turns(self.session)
        self.begun: list[ServerCall] = []
        self.cancelled: list[ServerCall] = []
        client = ClientSession("in.memory")
        for number in range(CALLS):
            client.start(PATH, workload_pb2.RunRequest(key=number, payload=bytes(payload_bytes)).SerializeToString())
        self.read = b"".join(iter(client.data_to_send, b""))

    def deal(self, event: ServerEvent) -> None:
        if isinstance(event, CallReceived):
            self.begun.append(event.call)
        elif isinstance(event, CallCancelled):
            self.cancelled.append(event.call)


@pytest.fixture(params=[0, 500], ids=["one piece", "many pieces"])
def peer(request: pytest.FixtureRequest) -> Peer:
    return Peer(request.param)


def test_a_read_that_takes_no_time_is_dealt_with_in_one_turn(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_NS", 10**12)
    peer.turns.take(peer.read, peer.deal)
    assert (len(peer.begun), peer.turns.pending) == (CALLS, False)


def test_a_turn_ends_with_the_event_that_takes_too_long(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_NS", 0)
    peer.turns.take(peer.read, peer.deal)
    taken = 1
    while peer.turns.pending:
        assert len(peer.begun) <= taken
        peer.turns.go_on(peer.deal)
        taken += 1
    keys = [workload_pb2.RunRequest.FromString(call.request).key for call in peer.begun]
    assert keys == list(range(CALLS))


def test_a_turn_may_be_ended_by_what_deals_with_an_event(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_NS", 10**12)

    def deal(event: ServerEvent) -> None:
        peer.deal(event)
        peer.turns.end_turn()

    peer.turns.take(peer.read, deal)
    assert (len(peer.begun), peer.turns.pending) == (1, True)
    peer.turns.go_on(peer.deal)
    assert (len(peer.begun), peer.turns.pending) == (CALLS, False)


def test_calls_of_a_turn_that_never_comes_are_begun_and_cancelled_or_not_known(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TURN_NS", 0)
    peer.turns.take(peer.read, peer.deal)
    assert peer.turns.pending
    peer.turns.end(peer.deal)
    assert peer.begun == peer.cancelled
    assert peer.session.calls_in_flight == len(peer.begun), "each is to be finished, and no other"


def test_a_read_of_one_call_that_takes_too_long_leaves_nothing_for_a_further_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "TURN_NS", 0)
    monkeypatch.setattr(f"{__name__}.CALLS", 1)
    peer = Peer(0)
    peer.turns.take(peer.read, peer.deal)
    assert (len(peer.begun), peer.turns.pending) == (1, False)
