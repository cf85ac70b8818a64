"""A service as its model sees it: where to listen, how a session begins, what a call runs. No loop and no thread."""

import os
import platform
import socket
import ssl
import threading
from collections.abc import Callable, Mapping

from sweetspot.v1 import workload_pb2

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.lag import LoopLag
from services.telemetry import Tracing
from services.wire import Limits, ServerCall, ServerSession, Shape
from services.wire.tls import ALPN_HTTP2
from services.workload.run import Run

RUN_PATH = b"/sweetspot.v1.Workload/Run"
RUN_STREAM_PATH = b"/sweetspot.v1.Workload/RunStream"
WORKLOAD_SHAPES = {RUN_PATH: Shape.UNARY, RUN_STREAM_PATH: Shape.SERVER_STREAMING}

Answer = Callable[[bytes], bytes]
"""A method that is answered by whoever reads it: it takes microseconds and never waits. Raises RpcError."""


class Service:
    """What a model's `serve(service)` is given. One for each process that serves."""

    def __init__(
        self,
        model: str,
        config: Config,
        *,
        listener: socket.socket,
        drain: Drain,
        tracing: Tracing | None = None,
        tls: ssl.SSLContext | None = None,
        answers: Mapping[bytes, tuple[Shape, Answer]] | None = None,
    ) -> None:
        self.model = model
        self.config = config
        self.listener = listener
        self.drain = drain
        self.tracing = tracing
        self.host = platform.node()
        self.sessions: set[ServerSession] = set()
        """Open connections; adding and discarding are atomic in CPython, so that no model pays for a lock."""
        self.queue_depth: Callable[[], int] | None = None
        """Set by a model that has a queue."""
        self.loop_lag: LoopLag | None = None
        """Set by a model that has a loop."""
        self._tls = tls
        self._answers = dict(answers or {})
        self._shapes = WORKLOAD_SHAPES | {path: shape for path, (shape, _) in self._answers.items()}
        self._limits = Limits(
            max_concurrent_streams=config.max_concurrent_streams, max_message_bytes=config.max_message_bytes
        )

    def open_session(self) -> ServerSession:
        """For a connection just accepted; ends with `close_session`."""
        session = ServerSession(self._shapes, self._limits, tls=self._tls)
        self.sessions.add(session)
        return session

    def close_session(self, session: ServerSession) -> None:
        """The connection is gone."""
        self.sessions.discard(session)

    def answer(self, call: ServerCall) -> Answer | None:
        """How to answer a call that is asked about the service (health, reflection); None for the workload's calls."""
        found = self._answers.get(call.head.path)
        return None if found is None else found[1]

    def identity(self) -> bytes:
        """The serialised part of RunReply that says who runs a call; made once by each worker."""
        return workload_pb2.RunReply(
            model=self.model, host=self.host, process=os.getpid(), worker=threading.current_thread().name
        ).SerializeToString()

    def start(self, call: ServerCall, identity: bytes) -> Run:
        """Begins to run a workload call. Raises RpcError where there is nothing to run."""
        trace = None
        if self.tracing is not None and call.head.traceparent is not None:
            trace = self.tracing.server_call(call.head.traceparent, call.head.path.decode("ascii"))
        return Run(call, identity, streams=call.shape.server_streams, trace=trace)

    def calls_in_flight(self) -> int:
        """Calls received and not finished, on all connections."""
        return sum(session.calls_in_flight for session in tuple(self.sessions))


def listen(config: Config) -> socket.socket:
    """A listening socket at `config.host` and `config.port`. Raises OSError."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    return socket.create_server((config.host, config.port), family=family, backlog=config.backlog)


def server_tls(config: Config) -> ssl.SSLContext | None:
    """The TLS that the options ask for: at least 1.2, HTTP/2 only. Raises OSError and ssl.SSLError for bad files."""
    if config.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN_HTTP2])
    context.load_cert_chain(config.tls_cert, config.tls_key)
    if config.tls_client_ca is not None:
        context.load_verify_locations(config.tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
