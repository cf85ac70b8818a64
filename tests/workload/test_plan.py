"""What a plan shows of a call before the call is run."""

import pytest
from sweetspot.v1 import workload_pb2

from services.workload.plan import read_duration_ns, will_block

COMPUTE = workload_pb2.Step(compute=workload_pb2.Compute(rounds=1))
BLOCK = workload_pb2.Step(block=workload_pb2.Block(duration_us=1))
PLANS = {
    "nothing": (workload_pb2.RunRequest().SerializeToString(), False),
    "what does not block": (workload_pb2.RunRequest(steps=[COMPUTE]).SerializeToString(), False),
    "a block at the end": (workload_pb2.RunRequest(steps=[COMPUTE, BLOCK]).SerializeToString(), True),
    "a block of no time": (workload_pb2.RunRequest(steps=[workload_pb2.Step(block={})]).SerializeToString(), True),
    "no plan": (b"\xff", False),
}


@pytest.mark.parametrize(("request_bytes", "blocks"), PLANS.values(), ids=PLANS)
def test_whether_a_call_will_block_is_known_before_it_is_run(request_bytes: bytes, blocks: bool) -> None:
    assert will_block(request_bytes) is blocks


NATIVE = workload_pb2.Compute(rounds=10, engine=workload_pb2.Compute.ENGINE_NATIVE)
DURATIONS = [
    ([], 0),
    ([COMPUTE], 40),
    ([workload_pb2.Step(compute=NATIVE)], 3000),
    ([BLOCK, COMPUTE, workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=2))], 3040),
    ([workload_pb2.Step(call=workload_pb2.Call(delay_us=5))], 5000),
]


@pytest.mark.parametrize(("steps", "duration_ns"), DURATIONS)
def test_how_long_a_call_takes_is_known_before_it_is_run(steps: list[workload_pb2.Step], duration_ns: int) -> None:
    assert read_duration_ns(workload_pb2.RunRequest(steps=steps).SerializeToString()) == duration_ns


def test_no_plan_takes_no_time() -> None:
    assert read_duration_ns(b"\xff") == 0
