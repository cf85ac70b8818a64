"""The null server and its client: legal HTTP/2 for clients that check it, and a reply for each call."""

from collections.abc import Iterator

import grpc
import pytest
from sweetspot.v1.workload_pb2 import RunReply, RunRequest

from tools.calibrate.frames import HELLO, PAYLOAD, PING, SETTINGS_ACK, frame, reply, request
from tools.calibrate.null_client import null_client
from tools.calibrate.null_server import Answers
from tools.local import Programs, started


@pytest.fixture
def address() -> Iterator[str]:
    with started("null server", Programs().null_server) as process:
        yield process.expect("listening on ", 20)


def test_grpcio_takes_its_answer(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        run = channel.unary_unary("/sweetspot.v1.Workload/Run", response_deserializer=RunReply.FromString)
        replies = [run(RunRequest(payload=bytes(100)).SerializeToString(), timeout=10) for _ in range(3)]
    assert [(each.model, each.payload) for each in replies] == [("null", PAYLOAD)] * 3


def test_the_null_client_has_a_latency_for_each_call_it_measures(address: str) -> None:
    with null_client(address, 3, 4) as client:
        counts = [len(client.slice(0, 0.05)) for _ in range(2)]
        assert not client.slice(0.05, 0)
    assert min(counts) > 0


def test_a_client_that_leaves_ends_no_other(address: str) -> None:
    with null_client(address, 1, 1) as staying:
        with null_client(address, 1, 1) as leaving:
            leaving.slice(0, 0.01)
        assert staying.slice(0, 0.05)


def test_frames_are_answered_however_they_are_cut() -> None:
    asked = HELLO + frame(PING, 0, b"12345678") + request(1) + SETTINGS_ACK + request(3)
    expected = SETTINGS_ACK + frame(PING, 1, b"12345678") + reply(b"\0\0\0\1") + reply(b"\0\0\0\3")
    for size in (1, 7, len(asked)):
        answers = Answers()
        assert b"".join(answers(asked[at : at + size]) for at in range(0, len(asked), size)) == expected
