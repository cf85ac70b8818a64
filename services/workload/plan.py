"""Reads a request and rejects what is out of the range that workload.proto states. Takes no step."""

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from sweetspot.v1 import backend_pb2, workload_pb2

from services.wire import Code, RpcError

MIB = 1024 * 1024
MAX_STEPS = 64
MAX_PAYLOAD_BYTES = MIB

# Highest value of each field, as in the comments of workload.proto and backend.proto; the lowest is 0.
MAX_VALUES = {
    "compute": {"rounds": 10_000_000, "engine": len(workload_pb2.Compute.Engine.items()) - 1},
    "call": {
        "delay_us": 60_000_000,
        "distribution": len(workload_pb2.Distribution.items()) - 1,
        "reply_bytes": MIB,
    },
    "sleep": {"duration_us": 60_000_000},
    "block": {"duration_us": 60_000_000},
    "touch": {"working_set_kib": 65_536},
    "transfer": {"from_account": 999_999, "to_account": 999_999, "amount": 1_000_000_000, "yields": 1000},
}


def read_plan(request: bytes) -> workload_pb2.RunRequest:
    """The plan in `request`; its steps are still to be checked.

    Raises RpcError: INTERNAL for no protobuf, INVALID_ARGUMENT for too large a payload.
    """
    try:
        plan = workload_pb2.RunRequest.FromString(request)
    except DecodeError as error:
        raise RpcError(Code.INTERNAL, "request is not a sweetspot.v1.RunRequest") from error
    if len(request) > MAX_PAYLOAD_BYTES and len(plan.payload) > MAX_PAYLOAD_BYTES:
        raise RpcError(Code.INVALID_ARGUMENT, f"payload of {len(plan.payload)} bytes is above {MAX_PAYLOAD_BYTES}")
    return plan


def check_steps(steps: Sequence[workload_pb2.Step], accounts: int) -> None:
    """Raises RpcError INVALID_ARGUMENT for a value out of range, in a service with so many accounts."""
    if len(steps) > MAX_STEPS:
        raise RpcError(Code.INVALID_ARGUMENT, f"{len(steps)} steps are more than {MAX_STEPS}")
    for index, step in enumerate(steps):
        kind = step.WhichOneof("kind")
        if kind is None:
            raise RpcError(Code.INVALID_ARGUMENT, f"steps[{index}] has no kind")
        _check_range(f"steps[{index}].{kind}", getattr(step, kind), MAX_VALUES[kind])
        if kind == "transfer" and not (step.transfer.to_account - step.transfer.from_account) % accounts:
            raise RpcError(Code.INVALID_ARGUMENT, f"steps[{index}].transfer: both are the same of {accounts} accounts")


def part_payload(request: bytes) -> tuple[workload_pb2.RunRequest, bytes]:
    """The plan in `request` without its payload and unknown fields, and the payload: no step needs it.

    Raises RpcError as `read_plan` does for these.
    """
    plan = read_plan(request)
    payload = plan.payload
    plan.ClearField("payload")
    plan.DiscardUnknownFields()
    return plan, payload


def read_fetch(request: bytes) -> backend_pb2.FetchRequest:
    """The backend's request, rejected in the same way."""
    try:
        fetch = backend_pb2.FetchRequest.FromString(request)
    except DecodeError as error:
        raise RpcError(Code.INTERNAL, "request is not a sweetspot.v1.FetchRequest") from error
    _check_range("fetch", fetch, MAX_VALUES["call"])
    return fetch


def _check_range(name: str, message: object, highest: dict[str, int]) -> None:
    for field, most in highest.items():
        value = getattr(message, field)
        if not 0 <= value <= most:  # an unknown enum value arrives as its number, which may be negative
            raise RpcError(Code.INVALID_ARGUMENT, f"{name}.{field} is {value}, not within 0 to {most}")


def will_block(request: bytes) -> bool:
    """Whether a step of the plan in `request` blocks; False for what is no plan."""
    try:
        return any(step.HasField("block") for step in workload_pb2.RunRequest.FromString(request).steps)
    except DecodeError:
        return False


ROUND_NS = {workload_pb2.Compute.ENGINE_PYTHON: 40, workload_pb2.Compute.ENGINE_NATIVE: 300}
"""Of each engine, as workload.proto has it."""


def read_duration_ns(request: bytes) -> int:
    """About how long the plan in `request` takes where nothing else runs, for who has to order calls; 0 for no plan."""
    try:
        steps = workload_pb2.RunRequest.FromString(request).steps
    except DecodeError:
        return 0
    return sum(
        step.compute.rounds * ROUND_NS.get(step.compute.engine, 0)
        + 1000 * (step.call.delay_us + step.sleep.duration_us + step.block.duration_us)
        for step in steps
    )


def read_key(request: bytes) -> int:
    """The key of the plan in `request`, for who has to place a call before it is run; 0 for what is no plan."""
    try:
        return workload_pb2.RunRequest.FromString(request).key
    except DecodeError:
        return 0
