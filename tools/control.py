"""A service's control port (protos/sweetspot/v1/control.proto), and the one way to open a channel to a service."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sweetspot.v1.control_pb2 import (
    ConfigureReply,
    ConfigureRequest,
    SnapshotReply,
    SnapshotRequest,
    StageSettings,
)

from tools.local import LateError, LocalError

# Imported only to open a channel: it costs 0.1 s, and no command should wait for it before its first line.
if TYPE_CHECKING:
    import grpc

TIMEOUT_S = 10.0

_Reply = TypeVar("_Reply")


def open_channel(address: str, *options: tuple[str, Any]) -> "grpc.Channel":
    """To HOST:PORT. A proxy that the environment names (http_proxy) is not for services that are measured."""
    import grpc  # noqa: PLC0415

    return grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0), *options])


class ControlClient:
    """One control port. Methods raise LocalError."""

    def __init__(self, address: str) -> None:
        self._channel = open_channel(address)
        self._snapshot = self._channel.unary_unary(
            "/sweetspot.v1.Control/Snapshot",
            request_serializer=SnapshotRequest.SerializeToString,
            response_deserializer=SnapshotReply.FromString,
        )
        self._configure = self._channel.unary_unary(
            "/sweetspot.v1.Control/Configure",
            request_serializer=ConfigureRequest.SerializeToString,
            response_deserializer=ConfigureReply.FromString,
        )

    def snapshot(self) -> SnapshotReply:
        """The service's counters now."""
        reply: SnapshotReply = _answered(lambda: self._snapshot(SnapshotRequest(), timeout=TIMEOUT_S))
        return reply

    def configure(self, stage: str, settings: StageSettings) -> None:
        """Has a stage serve so from now on."""
        _answered(lambda: self._configure(ConfigureRequest(stage=stage, settings=settings), timeout=TIMEOUT_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()


def _answered(ask: Callable[[], _Reply]) -> _Reply:
    import grpc  # noqa: PLC0415

    try:
        return ask()
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise LateError(f"its control port did not answer within {TIMEOUT_S:.0f} s") from error
        raise LocalError(f"its control port answered {error.code().name}: {error.details()}") from error
