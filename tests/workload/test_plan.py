"""What a plan says of a call before it is run."""

import pytest
from sweetspot.v1 import workload_pb2

from services.workload.plan import will_block

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
