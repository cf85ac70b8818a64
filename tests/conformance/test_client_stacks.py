"""Clients that share no code get the same from every model, so no test's result is an effect of one client's code."""

import pytest
from sweetspot.v1 import workload_pb2

from services.wire import Code
from tests.conformance.test_workload import CHECKSUMS, Call, Sleep
from tests.serving import Serving
from tests.stacks import STACKS, Stack
from tools.claims.counting.answers import EVERY_KIND, plan

RUN, RUN_STREAM = "/sweetspot.v1.Workload/Run", "/sweetspot.v1.Workload/RunStream"
each_stack = pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.__name__)


@each_stack
def test_the_same_plan_comes_to_the_same_checksum(service: Serving, stack: Stack) -> None:
    for asked, checksum in CHECKSUMS:
        outcome = stack(service.address, RUN, asked.SerializeToString())
        (reply,) = map(workload_pb2.RunReply.FromString, outcome.replies)
        assert (outcome.code, reply.checksum) == (Code.OK, checksum)


@each_stack
def test_a_stream_comes_in_order(service: Serving, stack: Stack) -> None:
    outcome = stack(service.address, RUN_STREAM, EVERY_KIND.SerializeToString(), streaming=True)
    replies = list(map(workload_pb2.RunReply.FromString, outcome.replies))
    assert (outcome.code, [reply.steps for reply in replies]) == (Code.OK, list(range(1, len(EVERY_KIND.steps) + 1)))


STATUSES = {
    "out of range": (RUN, plan(call=Call(delay_us=60_000_001)).SerializeToString(), Code.INVALID_ARGUMENT),
    "no protobuf": (RUN, b"\xff\xff\xff", Code.INTERNAL),
    "too large": (RUN, bytes(4 * 1024 * 1024 + 1), Code.RESOURCE_EXHAUSTED),
    "unknown method": ("/sweetspot.v1.Workload/Walk", b"", Code.UNIMPLEMENTED),
    "unknown service": ("/sweetspot.v1.Stroll/Run", b"", Code.UNIMPLEMENTED),
}


@each_stack
@pytest.mark.parametrize(("path", "request_", "code"), STATUSES.values(), ids=STATUSES)
def test_a_refusal_has_the_same_status(service: Serving, stack: Stack, path: str, request_: bytes, code: Code) -> None:
    assert stack(service.address, path, request_).code is code


@each_stack
@pytest.mark.parametrize("step", [{"sleep": Sleep(duration_us=5_000_000)}, {"call": Call(delay_us=5_000_000)}])
def test_a_deadline_ends_a_wait(service: Serving, stack: Stack, step: dict[str, object]) -> None:
    outcome = stack(service.address, RUN, plan(**step).SerializeToString(), timeout_s=0.05)
    assert (outcome.code, outcome.replies) == (Code.DEADLINE_EXCEEDED, ())
