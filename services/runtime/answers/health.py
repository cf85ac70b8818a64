"""Whether the service is alive and whether it takes calls, in the form of grpc.health.v1. Knows no port and no
connection.

Names: `liveness` is SERVING for as long as the process answers; "", `readiness` and each served service are
NOT_SERVING while the service drains or its queue is full. So an orchestrator that asks for liveness does not
restart a service for being busy, and one that asks for readiness sends no calls to it.

Source: grpc/grpc-proto, grpc/health/v1/health.proto; grpc/grpc, doc/health-checking.md.
"""

from collections.abc import Callable, Iterable

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from services.wire import Code, RpcError

SERVICE = "grpc.health.v1.Health"
CHECK_PATH = b"/grpc.health.v1.Health/Check"
LIST_PATH = b"/grpc.health.v1.Health/List"
WATCH_PATH = b"/grpc.health.v1.Health/Watch"

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """The states of all names. `ready` returns whether the service takes calls now; `services` are full names."""

    def __init__(self, ready: Callable[[], bool], services: Iterable[str]) -> None:
        self._ready = ready
        self._names_of_readiness = ("", "readiness", *services)

    def check(self, request: bytes) -> bytes:
        """Answers Check. Raises RpcError: NOT_FOUND for an unknown name, INTERNAL for no protobuf."""
        name = asked_name(request)
        status = self.status(name)
        if status == SERVICE_UNKNOWN:
            raise RpcError(Code.NOT_FOUND, f"unknown service {name!r}")
        return response(status)

    def list(self, _request: bytes) -> bytes:
        """Answers List: every name."""
        reply = health_pb2.HealthListResponse()
        for name in ("liveness", *self._names_of_readiness):
            reply.statuses[name].status = self.status(name)
        return bytes(reply.SerializeToString())

    def status(self, name: str) -> health_pb2.HealthCheckResponse.ServingStatus:
        """The state of `name` now; SERVICE_UNKNOWN where there is no such name, as Watch is to report it."""
        if name == "liveness":
            return SERVING
        if name not in self._names_of_readiness:
            return SERVICE_UNKNOWN
        return SERVING if self._ready() else NOT_SERVING


def asked_name(request: bytes) -> str:
    """The name that a Check or a Watch asks for. Raises RpcError INTERNAL for no protobuf."""
    try:
        return str(health_pb2.HealthCheckRequest.FromString(request).service)
    except DecodeError as error:
        raise RpcError(Code.INTERNAL, "request is not a grpc.health.v1.HealthCheckRequest") from error


def response(status: health_pb2.HealthCheckResponse.ServingStatus) -> bytes:
    """A state, serialised."""
    return bytes(health_pb2.HealthCheckResponse(status=status).SerializeToString())
