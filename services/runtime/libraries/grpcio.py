"""What the two baselines share: grpcio's server on the service's port, and its calls as the handlers know them.

grpcio owns the sockets and the HTTP/2, in threads of its C core: who accepts, reads and writes is not to be chosen.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from services.network.address import Address
from services.network.listen import listen
from services.runtime.answers.responders import ImmediateMethod
from services.runtime.config import Config
from services.runtime.processes.supervisor import serve_at_one_port
from services.runtime.service import RUN_PATH, RUN_STREAM_PATH, Service
from services.runtime.workers import PROCESSES
from services.telemetry import Headers
from services.telemetry.context import NAMES
from services.wire import Code, RpcError, Shape
from services.workload.run import Run, note_unbegun

STATUS = {Code(status.value[0]): status for status in grpc.StatusCode}


@dataclass(slots=True)
class GrpcioCall:
    """A call as `Run` knows it."""

    request: bytes
    received_ns: int
    deadline_ns: int | None
    cancelled: bool = False

    def cancel(self) -> None:
        """The caller has given up."""
        self.cancelled = True


@dataclass(frozen=True, slots=True)
class GrpcioArrival:
    """What is known of a call when its header has come."""

    path: str
    received_ns: int
    trace_context: Headers

    def call(self, request: bytes, left_s: float | None) -> GrpcioCall:
        """The call once its request has come, with so much time left."""
        deadline_ns = None if left_s is None else time.monotonic_ns() + int(left_s * 1e9)
        return GrpcioCall(request, self.received_ns, deadline_ns)


class MethodHandlers(ABC):
    """Returns what runs a method (grpc.GenericRpcHandler). A baseline decides how: in threads, or as coroutines.

    grpcio asks before the call waits for a worker: that is when it counts as received.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._answers = {
            path.decode(): _HANDLERS[shape](partial(self.answer if shape is Shape.UNARY else self.answer_each, answer))
            for path, (shape, answer) in service.answers.items()
        }

    def service(self, details: Any) -> Any:
        """The handler of a call, None for an unknown method."""
        path = details.method.encode()
        if path == RUN_PATH:
            return grpc.unary_unary_rpc_method_handler(partial(self.run, _arrival(details)))
        if path == RUN_STREAM_PATH:
            return grpc.unary_stream_rpc_method_handler(partial(self.run_stream, _arrival(details)))
        return self._answers.get(details.method)

    def start(self, arrival: GrpcioArrival, call: GrpcioCall, identity: bytes) -> Run:
        """Begins to run a workload call. Raises RpcError where there is nothing to run."""
        trace = None
        if self._service.tracing is not None and arrival.trace_context:
            trace = self._service.tracing.server_call(arrival.trace_context, arrival.path)
        service, path = self._service, arrival.path.encode()
        streams, durations = path == RUN_STREAM_PATH, service.durations.of.get(path)
        try:
            return Run(call, identity, service.ledger, streams=streams, trace=trace, durations=durations)
        except RpcError as error:
            note_unbegun(call.received_ns, error.code, durations, trace)
            raise

    @abstractmethod
    def run(self, arrival: GrpcioArrival, request: bytes, context: Any) -> Any:
        """Runs Workload.Run."""

    @abstractmethod
    def run_stream(self, arrival: GrpcioArrival, request: bytes, context: Any) -> Any:
        """Runs Workload.RunStream."""

    @abstractmethod
    def answer(self, answer: ImmediateMethod, request: bytes, context: Any) -> Any:
        """Gives the answer of an ImmediateMethod to one message."""

    @abstractmethod
    def answer_each(self, answer: ImmediateMethod, requests: Any, context: Any) -> Any:
        """Gives the answer of an ImmediateMethod to each message of a stream."""


_HANDLERS: dict[Shape, Callable[[Any], Any]] = {
    Shape.UNARY: grpc.unary_unary_rpc_method_handler,
    Shape.BIDIRECTIONAL: grpc.stream_stream_rpc_method_handler,
}


def options(config: Config) -> list[tuple[str, int]]:
    """The config in grpcio's words (grpc/grpc, include/grpc/impl/channel_arg_names.h)."""
    return [
        ("grpc.so_reuseport", int(config[PROCESSES] != 1)),
        ("grpc.max_concurrent_streams", config.max_concurrent_streams),
        # grpcio brings the jitter; its word for "never" is no word.
        *(
            [("grpc.max_connection_age_ms", round(config.max_connection_age_s * 1000))]
            * bool(config.max_connection_age_s)
        ),
        ("grpc.max_receive_message_length", config.max_message_bytes),
    ]


def serve_in_processes(service: Service, serve_at: Callable[[Service, int, Callable[[int], None]], None]) -> None:
    """Serves in one process, or in `--processes` of them, each with a listener of its own at the port (SO_REUSEPORT).

    `serve_at(service, port, listening)` makes a server and calls `listening` with its port. A process makes one only
    after the fork, as grpcio requires (grpc/grpc, examples/python/multiprocessing).
    """
    if service.config[PROCESSES] == 1:
        serve_at(service, service.config.port, service.announce)
    else:
        serve_at_one_port(service, lambda port, ready: serve_at(service, port, lambda _: ready()))


def add_port(server: Any, service: Service, port: int) -> int:
    """Has `server` listen at that port of the config's address; returns the port. Raises OSError."""
    config = service.config
    if config[PROCESSES] == 1:
        # grpcio gives no reason for a failure, and logs lines of its own. So a listener of ours tries the port first.
        # For several processes, the port is reserved already.
        listen(service.listens_at, port).close()
    address = str(Address(service.listens_at, port))
    if config.tls_cert is None or config.tls_key is None:
        return int(server.add_insecure_port(address))
    authorities = None if config.tls_client_ca is None else config.tls_client_ca.read_bytes()
    credentials = grpc.ssl_server_credentials(
        [(config.tls_key.read_bytes(), config.tls_cert.read_bytes())], authorities, authorities is not None
    )
    return int(server.add_secure_port(address, credentials))


def _arrival(details: Any) -> GrpcioArrival:
    metadata = ((name, value) for name, value in details.invocation_metadata if name in NAMES)
    return GrpcioArrival(details.method, time.monotonic_ns(), tuple(metadata))
