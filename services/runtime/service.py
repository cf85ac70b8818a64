"""A service as its model sees it: where to listen, how a session begins, what a call runs. No loop and no thread."""

import os
import platform
import random
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

from sweetspot.v1 import workload_pb2

from services.network.address import Address
from services.network.listen import EVERY, host_to_listen_at, listen
from services.runtime.answers import interop
from services.runtime.answers.health import Health
from services.runtime.answers.responders import Responder, answers, responders
from services.runtime.config import Config
from services.runtime.counters.durations import DURATION_BOUNDS_NS, CallDurations, call_durations
from services.runtime.counters.lag import LoopLag
from services.runtime.counters.shared_counters import SharedCounters
from services.runtime.counters.spans import SpanTotals
from services.runtime.counters.stage_rows import StageRows
from services.runtime.drain import Drain
from services.runtime.memory import SharedMemory
from services.runtime.shortage import Shortage
from services.runtime.workers import QUEUE_BOUND
from services.telemetry import CallTrace, Tracing
from services.telemetry.environment import metrics_go_out
from services.wire import Code, Limits, RpcError, ServerCall, ServerSession, Shape
from services.wire.request import RequestHead
from services.wire.tls import ALPN_HTTP2
from services.workload.ledger import Ledger
from services.workload.run import FETCH_PATH, Call, PlanProgress, Run, note_unbegun

RECORD_S = 0.5
"""Time that a thread gets, when the service ends, to record the spans of a call after its reply."""
RECORD_POLL_S = 0.001

RUN_PATH = b"/sweetspot.v1.Workload/Run"
RUN_STREAM_PATH = b"/sweetspot.v1.Workload/RunStream"
WORKLOAD_SHAPES = {RUN_PATH: Shape.UNARY, RUN_STREAM_PATH: Shape.SERVER_STREAMING}
BACKEND_SHAPES = {FETCH_PATH.encode(): Shape.UNARY}


class Startable(Call, Protocol):
    """A call as `start` sees it."""

    @property
    def head(self) -> RequestHead: ...
    @property
    def shape(self) -> Shape: ...


class Service:
    """What a model's `serve(service)` is given. Processes that the model forks have a copy each."""

    def __init__(
        self,
        model: str,
        config: Config,
        *,
        drain: Drain,
        tls: ssl.SSLContext | None = None,
        shapes: Mapping[bytes, Shape] = WORKLOAD_SHAPES,
        workers: int = 0,
        stages: Sequence[str] = (),
    ) -> None:
        """`workers` is the most processes that the model will fork, `stages` what a call of it goes through."""
        self.model = model
        self.config = config
        self.drain = drain
        self.tracing: Tracing | None = None
        self.host, self.pid = platform.node(), os.getpid()
        self.control_address: Address | None = None
        """Where the control port is, once it is."""
        self.metrics_address: Address | None = None
        """Where Prometheus may scrape, once it may."""
        counters = self.counters = SharedCounters(workers)
        self.connections = counters.gauge()
        """Open now."""
        self.calls_in_flight = counters.gauge()
        """Received and not finished."""
        self.queue = counters.gauge(absent=True)
        """Of those, calls that wait for a worker; set by a model that has one queue, or several."""
        self.full_queues = counters.gauge(absent=True)
        """Set by a model that has several."""
        metrics = config.metrics_port is not None or metrics_go_out()
        self.loop_lag = LoopLag(
            counters.gauge(absent=True), counters.histogram(DURATION_BOUNDS_NS) if metrics else None
        )
        """Noted by a model that has a loop."""
        if config.interop:
            shapes = {**shapes, **interop.SHAPES}
        self.durations = call_durations(counters, shapes) if metrics else CallDurations()
        """From received to ended."""
        self.refusals = counters.total(absent=True)
        """Calls rejected for lack of room; absent where grpcio's core rejects calls itself."""
        self.spans = SpanTotals(counters)
        self.memory = SharedMemory(counters.gauge(absent=True), config, None if tls is None else self.connections)
        """What connections hold of requests and replies, and what TLS takes."""
        self.stages = StageRows(stages, counters)
        """The settings and counters of the stages; empty if the model has none."""
        self.shortage = Shortage(model, counters)
        self.lost_updates, self.aborted_transfers = counters.total(), counters.total()
        """Since the start."""
        self.ledger = Ledger(
            config.accounts,
            config.conflicts or "none",
            stripes=config.lock_stripes,
            lock_timeout_s=config.lock_timeout_s,
            on_lost=self.lost_updates.add,
            on_aborted=self.aborted_transfers.add,
        )
        self.limits = Limits(
            max_concurrent_streams=config.max_concurrent_streams, max_message_bytes=config.max_message_bytes
        )
        self.services = sorted({path.split(b"/")[1].decode() for path in shapes})
        """Full names of what is served here, health and reflection not counted."""
        self.health = Health(self.ready, self.services)
        self.answers = answers(self.services, self.health)
        """Methods, by path, that the thread that reads a connection answers."""
        self._responders = responders(self.answers)
        if config.interop:
            self._responders |= interop.RESPONDERS
        self._tls = tls
        self._page = interop.PAGE if config.interop else None
        self._shapes = dict(shapes) | {path: shape for path, (shape, _) in self.answers.items()}

    def open_session(self) -> ServerSession:
        """For a connection just accepted; ends with `close_session`."""
        self.connections.add(1)
        return ServerSession(
            self._shapes,
            self.limits,
            tls=self._tls,
            on_calls=self.calls_in_flight.add,
            on_refusal=self.refusals.add,
            memory=self.memory,
            page=self._page,
            max_age_ns=_jittered_ns(self.config.max_connection_age_s),
        )

    def close_session(self, session: ServerSession) -> None:
        """The connection is gone; calls that still run are no longer anybody's."""
        self.connections.add(-1)

    def responder(self, call: ServerCall) -> Responder | None:
        """How to answer a call that is not, or not always, the model's to run; None for the workload's calls."""
        return self._responders.get(call.head.path)

    def identity(self) -> bytes:
        """The serialised part of RunReply that names what runs a call; made once by each worker."""
        return workload_pb2.RunReply(
            model=self.model, host=self.host, process=os.getpid(), worker=threading.current_thread().name
        ).SerializeToString()

    def start(self, call: Startable, identity: bytes, progress: PlanProgress | None = None) -> Run:
        """Begins to run a workload call, or continues it. Raises RpcError where there is nothing to run."""
        path = call.head.path
        kind = interop.InteropRun if path in interop.SHAPES else Run
        trace = None if self.tracing is None else self.trace(call, progress)
        durations = self.durations.of.get(path)
        try:
            run = kind(
                call,
                identity,
                self.ledger,
                call.shape.server_streams,
                trace,
                durations,
                progress,
            )
        except RpcError as error:
            if isinstance(call, ServerCall):  # else it is a stage's, and the stage `reply` notes the end
                note_unbegun(call.received_ns, error.code, durations, trace)
            raise
        if isinstance(call, ServerCall):  # else it is a stage's, and the next stage reads its request again
            call.request = b""
        return run

    def note_unbegun(self, call: ServerCall, code: Code) -> None:
        """Notes the end of a call whose request was rejected before a worker had it."""
        note_unbegun(call.received_ns, code, self.durations.of.get(call.head.path), self.trace(call))

    def trace(self, call: Startable, progress: PlanProgress | None = None) -> CallTrace | None:
        """The trace of a call that is begun, or has come so far; None where it is not traced."""
        if self.tracing is None or not call.head.trace_context:
            return None
        if progress is None:
            return self.tracing.server_call(call.head.trace_context, call.head.path.decode("ascii"))
        return None if progress.trace is None else self.tracing.same_call(progress.trace)

    def ready(self) -> bool:
        """Further calls are welcome: not draining, no full queue, and nothing short that a connection needs."""
        return not (self.drain.requested or self._has_full_queue() or self.shortage.is_now)

    def _has_full_queue(self) -> bool:
        if self.stages.rows:
            return self.stages.has_full_queue()
        full = self.full_queues.value()
        return (self.queue.value() or 0) >= self.config[QUEUE_BOUND] if full is None else full > 0

    def queue_depth(self) -> int | None:
        """Calls that wait for a worker, in all queues; None where the model has none."""
        return self.stages.depth() if self.stages.rows else self.queue.value()

    def drained(self) -> bool:
        """Connections that are still open, once a drain is asked for, need not be waited for any longer."""
        return self.drain.is_over(self.config.drain_timeout_s, self.calls_in_flight.own())

    @cached_property
    def listens_at(self) -> str:
        """The literal of the config's host. Raises OSError where it is none of this machine's."""
        return host_to_listen_at(self.config.host)

    def listen(self) -> socket.socket:
        """A listening socket at the config's host and port; its address is printed. Raises OSError."""
        listener = self.open_listener()
        self.announce(listener.getsockname()[1])
        return listener

    def open_listener(self, port: int | None = None, *, reuse_port: bool = False) -> socket.socket:
        """A listening socket at the config's host, for a model that is not yet ready. Raises OSError.

        port: the config's where it is None. With `reuse_port` others may listen there too, and the kernel gives each
        connection to one of them (socket(7), SO_REUSEPORT).
        """
        self.refusals.set(0)
        self.memory.begin()
        at = self.config.port if port is None else port
        listener = listen(self.listens_at, at, backlog=self.config.backlog, reuse_port=reuse_port)
        # Inherited by what is accepted. With Nagle's algorithm, a reply that is a second write waits 40 ms for a
        # delayed ACK (tcp(7)); asyncio turns it off only for sockets that name their protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener

    def reserve(self) -> socket.socket:
        """A socket that does not listen: it reserves the port for the processes with `reuse_port`. Raises OSError."""
        # Alone at first: with another service that reuses the port, this one would share its clients unseen.
        with self.open_listener() as alone:
            address = alone.getsockname()
            v6_only = self.listens_at != EVERY
        sock = socket.socket(alone.family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if alone.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
        sock.bind(address)
        return sock

    def start_tracing(self) -> None:
        """In each process that runs calls, once it forks no more. Raises OSError."""
        self.tracing = Tracing.from_environment(
            self.model.replace("_", "-"), model=self.model, trace_file=self.config.trace_file, on_counts=self.spans.set
        )

    def stop_tracing(self) -> None:
        """Exports what waits, once the spans of calls whose reply was sent are recorded."""
        if self.tracing is None:
            return
        until_s = time.monotonic() + RECORD_S
        while self.tracing.open_calls > self.calls_in_flight.own() and time.monotonic() < until_s:
            time.sleep(RECORD_POLL_S)
        self.tracing.close()
        self.tracing = None

    def announce(self, port: int) -> None:
        """Calls can come: `listening on ADDRESS` is the first line of output, `control on ADDRESS` the second.

        Where there are metrics to scrape, `metrics on ADDRESS` is the third.
        """
        lines = [f"listening on {Address(self.listens_at, port)}", f"control on {self.control_address}"]
        if self.metrics_address is not None:
            lines.append(f"metrics on {self.metrics_address}")
        print("\n".join(lines), flush=True)


def _jittered_ns(age_s: float) -> int | None:
    """Up to a tenth more or less, lest connections opened together all end together (gRPC's A9); None for 0."""
    return round(age_s * random.uniform(0.9, 1.1) * 1e9) if age_s else None


def server_tls(config: Config) -> ssl.SSLContext | None:
    """The TLS that the options ask for: at least 1.2, HTTP/2 only. Raises OSError, of which SSLError is one."""
    if config.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN_HTTP2])
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
        if config.tls_client_ca is not None:
            context.load_verify_locations(config.tls_client_ca)
    except OSError as error:
        raise OSError(error.errno, f"TLS files cannot be used: {error.strerror}") from error
    if config.tls_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
