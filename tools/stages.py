"""`sweetspot stages`: shows the stages of a service that runs, and tells one how to serve. Must not know any model."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc
from rich.console import Console
from rich.table import Table
from sweetspot.v1.control_pb2 import (
    ConfigureReply,
    ConfigureRequest,
    SnapshotReply,
    SnapshotRequest,
    Stage,
    StageSettings,
)

from tools.units import count, duration

TIMEOUT_S = 5.0
KEYS = [field.name for field in StageSettings.DESCRIPTOR.fields]


_Reply = TypeVar("_Reply")


class StagesError(Exception):
    """What a person can put right, in one line."""


def settings(pairs: Sequence[str]) -> StageSettings:
    """`key=value` each, whole numbers. Raises StagesError; what is out of range the service refuses."""
    told = StageSettings()
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in KEYS:
            raise StagesError(f"{pair!r} is not key=value, with one of {', '.join(KEYS)}")
        if not value.isdecimal() or int(value) >= 2**32:
            raise StagesError(f"{key} is {value!r}, and no whole number")
        setattr(told, key, int(value))
    return told


def read(address: str) -> Sequence[Stage]:
    """The stages of the service whose control port is at HOST:PORT. Raises StagesError."""
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(
            "/sweetspot.v1.Control/Snapshot",
            request_serializer=SnapshotRequest.SerializeToString,
            response_deserializer=SnapshotReply.FromString,
        )
        reply = _answered(address, lambda: ask(SnapshotRequest(), timeout=TIMEOUT_S))
    if not reply.stages:
        raise StagesError(f"{reply.model} at {address} has no stages")
    return list(reply.stages)


def tell(address: str, stage: str, told: StageSettings) -> None:
    """Has a stage serve so from now on. Raises StagesError."""
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(
            "/sweetspot.v1.Control/Configure",
            request_serializer=ConfigureRequest.SerializeToString,
            response_deserializer=ConfigureReply.FromString,
        )
        _answered(address, lambda: ask(ConfigureRequest(stage=stage, settings=told), timeout=TIMEOUT_S))


def show(console: Console, stages: Sequence[Stage]) -> None:
    """A line for each stage: its queue, what it has done, and its settings."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    for heading in ("waiting", "wait each", "served", "shed"):
        table.add_column(heading, justify="right")
    table.add_column("settings that are not 0")
    for stage in stages:
        wait = duration(stage.queue_wait_ns // stage.served) if stage.served else ""
        told = " ".join(f"{field.name}={value}" for field, value in stage.settings.ListFields() if value)
        table.add_row(stage.name, count(stage.queue_depth), wait, count(stage.served), count(stage.shed), told)
    console.print(table)


def _answered(address: str, ask: Callable[[], _Reply]) -> _Reply:
    try:
        return ask()
    except grpc.RpcError as error:
        raise StagesError(f"{address}: {error.details()}") from error
