"""The counters of several replicas as those of one service. Must not know where they were read."""

from collections.abc import Sequence
from typing import Any

from sweetspot.v1.control_pb2 import SnapshotReply

_LARGEST = ("monotonic_ns", "loop_lag_max_ns")
"""Fields that are not added up: a clock, and a maximum."""
_NO_COUNTERS = ("settings", "node")
"""The reply has those of the first replica."""


def together(replies: Sequence[SnapshotReply]) -> SnapshotReply:
    """One reply for all replicas of a model: counters added up, quotas too, the latest clock, the largest loop lag.

    What no replica has is absent. Hosts are listed one after the other. Raises ValueError without a reply.
    """
    first, *others = replies
    whole = SnapshotReply()
    whole.CopyFrom(first)
    for reply in others:
        _add(whole, reply)
    whole.host = ", ".join(dict.fromkeys(reply.host for reply in replies))
    return whole


def _add(whole: Any, reply: Any) -> None:
    for field, value in reply.ListFields():
        if field.name == "stages":
            for stage, more in zip(whole.stages, value, strict=True):
                _add(stage, more)
        elif field.name in _NO_COUNTERS:
            continue
        elif field.name == "lost":
            for why, number in value.items():
                whole.lost[why] += number
        elif field.message_type is not None:
            _add(getattr(whole, field.name), value)
        elif field.name in _LARGEST:
            setattr(whole, field.name, max(getattr(whole, field.name), value))
        elif not isinstance(value, str):
            setattr(whole, field.name, getattr(whole, field.name) + value)
