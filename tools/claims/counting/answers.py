"""What a service answers to a fixed set of plans: the part of an answer that no model may change.

Must not know a model.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sweetspot.v1.workload_pb2 import Block, Call, Compute, RunReply, RunRequest, Sleep, Step, Touch, Transfer

if TYPE_CHECKING:
    import grpc

TIMEOUT_S = 20
SOON_S = 0.05
"""Less than the longest of the plans takes."""

CallAnswer = tuple[str, tuple[tuple[int, int, bytes], ...]]
"""The status, and for each reply its number of finished steps, their checksum and the payload."""


def plan(**kinds: Any) -> RunRequest:
    """A plan of one step for each keyword, in order."""
    return RunRequest(steps=[Step(**{kind: step}) for kind, step in kinds.items()], key=7)


EVERY_KIND = plan(
    compute=Compute(rounds=1000),
    call=Call(delay_us=1000, reply_bytes=100),
    sleep=Sleep(duration_us=1000),
    block=Block(duration_us=1000),
    touch=Touch(working_set_kib=16),
    transfer=Transfer(to_account=1, amount=7, yields=2),
)
NATIVE = plan(compute=Compute(rounds=10, engine=Compute.ENGINE_NATIVE))
ECHO = RunRequest()

PLANS: dict[str, tuple[RunRequest, float]] = {
    "every kind": (EVERY_KIND, TIMEOUT_S),
    "native": (NATIVE, TIMEOUT_S),
    "echo": (ECHO, TIMEOUT_S),
    "payload": (RunRequest(payload=bytes(range(256)) * 1024), TIMEOUT_S),
    "no such account": (plan(transfer=Transfer(to_account=1_000_000)), TIMEOUT_S),
    "too late, asleep": (plan(sleep=Sleep(duration_us=5_000_000)), SOON_S),
    "too late, called": (plan(call=Call(delay_us=5_000_000)), SOON_S),
}
"""Each plan with its time limit. A plan without steps streams no reply, so its payload is not in a stream."""


def answers(channel: "grpc.Channel") -> dict[str, CallAnswer]:
    """The answers to all of them, each asked for one reply and for a stream of them."""
    run = channel.unary_unary("/sweetspot.v1.Workload/Run", RunRequest.SerializeToString, RunReply.FromString)
    stream = channel.unary_stream("/sweetspot.v1.Workload/RunStream", RunRequest.SerializeToString, RunReply.FromString)
    asked: dict[str, CallAnswer] = {}
    for name, (request, timeout_s) in PLANS.items():
        asked[name] = _answer(lambda: [run(request, timeout=timeout_s)])  # noqa: B023  (called at once)
        asked[f"{name}, streamed"] = _answer(lambda: list(stream(request, timeout=timeout_s)))  # noqa: B023
    return asked


def _answer(ask: Callable[[], list[RunReply]]) -> CallAnswer:
    import grpc  # noqa: PLC0415  (0.1 s)

    try:
        replies = ask()
    except grpc.RpcError as error:
        return error.code().name, ()
    return "OK", tuple((reply.steps, reply.checksum, reply.payload) for reply in replies)
