"""The duality claim, in small: whatever the model, a caller sees the same work done, and the same refusals."""

from typing import Any

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import Serving

TIMEOUT_S = 20
Compute, Call, Sleep, Block, Touch, Transfer = (
    workload_pb2.Compute,
    workload_pb2.Call,
    workload_pb2.Sleep,
    workload_pb2.Block,
    workload_pb2.Touch,
    workload_pb2.Transfer,
)


def plan(**kinds: Any) -> workload_pb2.RunRequest:
    """A plan of one step for each keyword, in order."""
    return workload_pb2.RunRequest(steps=[workload_pb2.Step(**{kind: step}) for kind, step in kinds.items()], key=7)


EVERY_KIND = plan(
    compute=Compute(rounds=1000),
    call=Call(delay_us=1000, reply_bytes=100),
    sleep=Sleep(duration_us=1000),
    block=Block(duration_us=1000),
    touch=Touch(working_set_kib=16),
    transfer=Transfer(to_account=1, amount=7, yields=2),
)
NATIVE = plan(compute=Compute(rounds=10, engine=workload_pb2.Compute.ENGINE_NATIVE))
# tests/workload/test_run.py computes what each step adds from its definition; every model must come to the same.
CHECKSUMS = [(EVERY_KIND, 0x49396A35), (NATIVE, 0x1642B77D), (workload_pb2.RunRequest(), 0)]


@pytest.mark.parametrize(("request_", "checksum"), CHECKSUMS, ids=["every kind", "native", "echo"])
def test_every_model_does_the_same_work(workload: Workload, request_: workload_pb2.RunRequest, checksum: int) -> None:
    reply = workload.run(request_, timeout=TIMEOUT_S)
    assert f"{reply.checksum:#x}" == f"{checksum:#x}"
    assert reply.steps == len(request_.steps)


def test_the_payload_comes_back(workload: Workload) -> None:
    payload = bytes(range(256)) * 1024  # more than the windows that HTTP/2 starts with
    assert workload.run(workload_pb2.RunRequest(payload=payload), timeout=TIMEOUT_S).payload == payload


def test_the_reply_says_who_ran_it_and_for_how_long(workload: Workload, service: Serving) -> None:
    reply = workload.run(plan(sleep=Sleep(duration_us=20_000)), timeout=TIMEOUT_S)
    assert reply.model == service.model
    assert reply.worker
    assert reply.waiting_ns >= 20_000_000
    assert reply.running_ns < reply.waiting_ns


def test_the_reply_says_in_which_process(workload: Workload, service: Serving) -> None:
    reply = workload.run(workload_pb2.RunRequest(), timeout=TIMEOUT_S)
    assert (reply.process == service.process.pid) == (service.runs_in == "one")


def test_a_stream_gives_one_reply_a_step(workload: Workload) -> None:
    replies = list(workload.run_stream(EVERY_KIND, timeout=TIMEOUT_S))
    assert [reply.steps for reply in replies] == [1, 2, 3, 4, 5, 6]
    assert replies[-1].checksum == CHECKSUMS[0][1]


def test_an_empty_plan_streams_nothing(workload: Workload) -> None:
    assert list(workload.run_stream(workload_pb2.RunRequest(), timeout=TIMEOUT_S)) == []


REFUSALS = [
    (plan(compute=Compute(rounds=10_000_001)), "steps[0].compute.rounds"),
    (plan(call=Call(delay_us=4_294_967_295)), "steps[0].call.delay_us"),
    (plan(sleep=Sleep(duration_us=1), touch=Touch(working_set_kib=65_537)), "steps[1].touch.working_set_kib"),
    (plan(call=Call(distribution=9)), "steps[0].call.distribution"),  # type: ignore[arg-type]
    (plan(compute=Compute(engine=-1)), "steps[0].compute.engine"),  # type: ignore[arg-type]
    (plan(transfer=Transfer(to_account=1_000_000)), "steps[0].transfer.to_account"),
    (plan(transfer=Transfer(from_account=1_000_000)), "steps[0].transfer.from_account"),
    (plan(transfer=Transfer(from_account=3, to_account=3)), "steps[0].transfer.to_account is from_account"),
    (plan(transfer=Transfer(to_account=1000)), "steps[0].transfer.to_account is from_account"),
    (plan(transfer=Transfer(to_account=1, amount=1_000_000_001)), "steps[0].transfer.amount"),
    (plan(transfer=Transfer(to_account=1, yields=1001)), "steps[0].transfer.yields"),
    (workload_pb2.RunRequest(steps=[workload_pb2.Step()]), "steps[0] has no kind"),
    (workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=Sleep())] * 65), "65 steps"),
    (workload_pb2.RunRequest(payload=bytes(1024 * 1024 + 1)), "payload of 1048577 bytes"),
]


@pytest.mark.parametrize(("request_", "names"), REFUSALS, ids=[names for _, names in REFUSALS])
def test_a_plan_out_of_range_is_refused_by_name(
    workload: Workload, request_: workload_pb2.RunRequest, names: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        workload.run(request_, timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert names in refused.value.details()


def test_what_is_no_protobuf_is_internal(workload: Workload) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        workload.run_raw(b"\xff\xff\xff", timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.INTERNAL


def test_a_message_over_the_limit_is_refused_and_the_connection_lives_on(workload: Workload) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        workload.run_raw(bytes(4 * 1024 * 1024 + 1), timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert workload.run(NATIVE, timeout=TIMEOUT_S).checksum == CHECKSUMS[1][1]


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/sweetspot.v1.Workload/Walk")(b"", timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("step", [{"sleep": Sleep(duration_us=5_000_000)}, {"call": Call(delay_us=5_000_000)}])
def test_a_deadline_ends_a_wait(workload: Workload, step: dict[str, object]) -> None:
    with pytest.raises(grpc.RpcError) as late:
        workload.run(plan(**step), timeout=0.05)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_hundred_calls_wait_at_once_on_one_connection(workload: Workload) -> None:
    calls = [workload.run.future(plan(call=Call(delay_us=1000)), timeout=TIMEOUT_S) for _ in range(100)]
    assert {call.result().steps for call in calls} == {1}
