"""The duality claim, in small: whatever the model, a caller sees the same work done, and the same refusals."""

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import Serving
from tools.claims.counting.answers import ECHO, EVERY_KIND, NATIVE, PLANS, CallAnswer, answers, plan

TIMEOUT_S = 20
Compute, Call, Sleep, Block, Touch, Transfer = (
    workload_pb2.Compute,
    workload_pb2.Call,
    workload_pb2.Sleep,
    workload_pb2.Block,
    workload_pb2.Touch,
    workload_pb2.Transfer,
)


# tests/workload/test_run.py computes what each step adds from its definition; every model must come to the same.
CHECKSUMS = [(EVERY_KIND, 0x49396A35), (NATIVE, 0x1642B77D), (ECHO, 0)]
AFTER_EACH_STEP = (0xDB9905FD, 0x1B3CC5DE, 0x0CC1CC87, 0x97D4AD17, 0xD3E81352, 0x49396A35)
PAYLOAD = PLANS["payload"][0].payload  # more than the windows that HTTP/2 starts with
ANSWERS: dict[str, CallAnswer] = {
    "every kind": ("OK", ((6, 0x49396A35, b""),)),
    "every kind, streamed": ("OK", tuple((n, checksum, b"") for n, checksum in enumerate(AFTER_EACH_STEP, 1))),
    "native": ("OK", ((1, 0x1642B77D, b""),)),
    "native, streamed": ("OK", ((1, 0x1642B77D, b""),)),
    "echo": ("OK", ((0, 0, b""),)),
    "echo, streamed": ("OK", ()),
    "payload": ("OK", ((0, 0, PAYLOAD),)),
    "payload, streamed": ("OK", ()),
    **{
        f"{name}{streamed}": (status, ())
        for streamed in ("", ", streamed")
        for name, status in (
            ("no such account", "INVALID_ARGUMENT"),
            ("too late, asleep", "DEADLINE_EXCEEDED"),
            ("too late, called", "DEADLINE_EXCEEDED"),
        )
    },
}


def test_every_model_gives_the_same_answers(channel: grpc.Channel) -> None:
    assert answers(channel) == ANSWERS


def test_the_reply_says_who_ran_it_and_for_how_long(workload: Workload, service: Serving) -> None:
    reply = workload.run(plan(sleep=Sleep(duration_us=20_000)), timeout=TIMEOUT_S)
    assert reply.model == service.model
    assert reply.worker
    assert reply.waiting_ns >= 20_000_000
    assert reply.running_ns < reply.waiting_ns


def test_the_reply_says_in_which_process(workload: Workload, service: Serving) -> None:
    reply = workload.run(workload_pb2.RunRequest(), timeout=TIMEOUT_S)
    assert (reply.process == service.process.pid) == (service.runs_in == "one")


REFUSALS = [
    (plan(compute=Compute(rounds=10_000_001)), "steps[0].compute.rounds"),
    (plan(call=Call(delay_us=4_294_967_295)), "steps[0].call.delay_us"),
    (plan(sleep=Sleep(duration_us=1), touch=Touch(working_set_kib=65_537)), "steps[1].touch.working_set_kib"),
    (plan(call=Call(distribution=9)), "steps[0].call.distribution"),  # type: ignore[arg-type]
    (plan(compute=Compute(engine=-1)), "steps[0].compute.engine"),  # type: ignore[arg-type]
    (plan(transfer=Transfer(to_account=1_000_000)), "steps[0].transfer.to_account"),
    (plan(transfer=Transfer(from_account=1_000_000)), "steps[0].transfer.from_account"),
    (plan(transfer=Transfer(from_account=3, to_account=3)), "steps[0].transfer: both are the same"),
    (plan(transfer=Transfer(to_account=1000)), "steps[0].transfer: both are the same"),
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


def test_a_hundred_calls_wait_at_once_on_one_connection(workload: Workload) -> None:
    calls = [workload.run.future(plan(call=Call(delay_us=1000)), timeout=TIMEOUT_S) for _ in range(100)]
    assert {call.result().steps for call in calls} == {1}
