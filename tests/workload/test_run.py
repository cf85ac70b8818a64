"""What each step adds to the checksum, computed here a second time from its definition in workload.proto."""

import hashlib
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from sweetspot.v1 import backend_pb2, workload_pb2

from services.wire import Code, RpcError
from services.workload import linear
from services.workload.ledger import Ledger
from services.workload.run import Fetch, Run


class FakeCall:
    """A call as `Run` needs it."""

    def __init__(self, plan: workload_pb2.RunRequest, deadline_ns: int | None = None) -> None:
        self.request = plan.SerializeToString()
        self.received_ns = time.monotonic_ns()
        self.cancelled = False
        self.deadline_ns = deadline_ns


class NoWaiting:
    """Waits that are over at once; the backend answers with `b"reply"`."""

    def sleep(self, duration_us: int, run: Run) -> None: ...

    def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        return backend_pb2.FetchReply(payload=b"reply").SerializeToString()


def replies(plan: workload_pb2.RunRequest, *, streams: bool = False) -> Iterator[workload_pb2.RunReply]:
    run = Run(FakeCall(plan), b"", Ledger(10), streams=streams)
    for message in linear.handle(run, NoWaiting()):
        yield workload_pb2.RunReply.FromString(message)


def step(**kind: Any) -> workload_pb2.RunRequest:
    return workload_pb2.RunRequest(steps=[workload_pb2.Step(**kind)])


def of_number(value: int) -> int:
    return zlib.crc32(value.to_bytes(4, "big"))


PBKDF2 = hashlib.pbkdf2_hmac("sha256", b"sweetspot", b"salt", 2)
CHECKSUMS = {
    "a generator turned twice": (
        step(compute=workload_pb2.Compute(rounds=2)),
        of_number(((1 * 1_664_525 + 1_013_904_223) * 1_664_525 + 1_013_904_223) % 2**32),
    ),
    "two rounds of PBKDF2": (
        step(compute=workload_pb2.Compute(rounds=2, engine=workload_pb2.Compute.ENGINE_NATIVE)),
        of_number(int.from_bytes(PBKDF2[:4], "big")),
    ),
    "what the backend replied": (step(call=workload_pb2.Call()), zlib.crc32(b"reply")),
    "how long it slept": (step(sleep=workload_pb2.Sleep(duration_us=5)), of_number(5)),
    "how long it blocked": (step(block=workload_pb2.Block(duration_us=6)), of_number(6)),
    # A KiB is four times the bytes 0 to 255; one of each 64: 0, 64, 128 and 192.
    "each cache line of 2 KiB": (step(touch=workload_pb2.Touch(working_set_kib=2)), of_number(8 * (64 + 128 + 192))),
    "how much it transferred": (step(transfer=workload_pb2.Transfer(to_account=1, amount=7)), of_number(7)),
    "nothing": (workload_pb2.RunRequest(), 0),
}


@pytest.mark.parametrize(("plan", "checksum"), CHECKSUMS.values(), ids=CHECKSUMS)
def test_the_checksum_is_over_what_each_step_computed(plan: workload_pb2.RunRequest, checksum: int) -> None:
    (reply,) = replies(plan)
    assert reply.checksum == checksum


def test_the_checksum_is_chained_in_the_order_of_the_steps() -> None:
    sleep, fetch = step(sleep=workload_pb2.Sleep(duration_us=5)), step(call=workload_pb2.Call())
    both = workload_pb2.RunRequest(steps=[*sleep.steps, *fetch.steps])
    (reply,) = replies(both)
    assert reply.checksum == zlib.crc32(b"reply", of_number(5))


def test_only_the_last_reply_of_a_stream_carries_the_payload() -> None:
    plan = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep())] * 2, payload=b"load")
    assert [(reply.steps, reply.payload) for reply in replies(plan, streams=True)] == [(1, b""), (2, b"load")]


def test_no_step_is_taken_for_a_call_whose_deadline_has_passed() -> None:
    with pytest.raises(RpcError) as late:
        Run(FakeCall(step(sleep=workload_pb2.Sleep()), deadline_ns=time.monotonic_ns()), b"", Ledger(10), streams=False)
    assert late.value.code is Code.DEADLINE_EXCEEDED


def test_a_cancelled_call_takes_no_further_step() -> None:
    call = FakeCall(step(compute=workload_pb2.Compute(rounds=1)))
    run = Run(call, b"", Ledger(10), streams=False)
    call.cancelled = True
    with pytest.raises(RpcError) as cancelled:
        list(linear.handle(run, NoWaiting()))
    assert cancelled.value.code is Code.CANCELLED
