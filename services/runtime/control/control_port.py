"""The control port: health with Watch, reflection and Control, in a process of its own.

     service's process    forks     control process
    .-----------------.  ------->  .--------------------------.
    | the model, in   |   SharedCounters    | asyncio loop             | <--- kubelet, load driver, grpcurl
    | whatever way it | ---------> | on request: read, answer |
    | serves          | (memory)   | Watch: look every 50 ms  |
    '-----------------'            | metrics: on other threads| <--- Prometheus; ---> OTLP
                                   '--------------------------'
            '------- /proc ---------------------^

Who waits      The loop, for the control port alone; no call of the workload ever comes here.
What bounds it Its share of a processor. Beside 32 threads that compute, Check takes 0.3 ms (at most 2 ms, of 40) and
Snapshot 4 to 8 ms (at most 44). A thread that shared their interpreter lock took 15 s beside 1,000.
When full      It is not: nothing waits, and an answer takes microseconds.
After          Envoy's admin port; Kubernetes' liveness and readiness probes.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

from services.network.address import Address
from services.network.listen import listen
from services.runtime.answers import health
from services.runtime.answers.responders import ImmediateMethod, Responder, answers, responders
from services.runtime.control.metrics import readings, resource
from services.runtime.control.snapshot import snapshot
from services.runtime.counters.shared_counters import SharedCounters
from services.runtime.libraries.aio import AsyncioAcceptor, AsyncioConnection, PeerChecks
from services.runtime.service import Service
from services.runtime.shortage import Shortage
from services.runtime.stages.configure import configure
from services.telemetry.environment import metrics_go_out
from services.wire import CallReceived, Code, Limits, ServerCall, ServerEvent, ServerSession, Shape

SERVICE = "sweetspot.v1.Control"
SNAPSHOT_PATH = b"/sweetspot.v1.Control/Snapshot"
CONFIGURE_PATH = b"/sweetspot.v1.Control/Configure"
WATCH_PERIOD_S = 0.05
LAST_EXPORT_S = 1.0
"""Besides the 5 s that spans get: a dead collector delays the exit by no more than 6."""


class ControlPort:
    """The control port of `service`, from `start` to `stop`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._health = service.health
        answered: dict[bytes, tuple[Shape, ImmediateMethod]] = {
            **answers((SERVICE,), self._health),
            SNAPSHOT_PATH: (Shape.UNARY, lambda _: snapshot(service).SerializeToString()),
            CONFIGURE_PATH: (Shape.UNARY, partial(configure, service.stages)),
        }
        self._shapes = {path: shape for path, (shape, _) in answered.items()}
        self._responders = responders(answered)
        self._shapes[health.WATCH_PATH] = Shape.SERVER_STREAMING
        self._connections: set[AsyncioConnection] = set()
        self._watches: dict[ServerCall, HealthWatch] = {}
        # Not the service's own: that this process has no descriptor free is no reason to send the service no calls.
        self._shortage = Shortage(f"control port of {service.model}", SharedCounters())
        self._metrics: socket.socket | None = None
        self._process_id = 0
        self._lifeline = -1

    def start(self) -> Address:
        """Listens at the config's host and control port, and returns the address. Raises OSError.

        Also at the metrics port, where there is one: that address is the service's `metrics_address`.
        """
        config = self._service.config
        listener = self._listen(config.control_port)
        address = Address(self._service.listens_at, listener.getsockname()[1])
        if config.metrics_port is not None:
            self._metrics = self._listen(config.metrics_port)
            self._service.metrics_address = Address(self._service.listens_at, self._metrics.getsockname()[1])
        # Its end of the pipe closes when the service ends, however it ends: no control process outlives its service.
        watched, self._lifeline = os.pipe()
        self._process_id = os.fork()
        if self._process_id == 0:
            self._run(listener, watched)
        os.close(watched)
        listener.close()
        if self._metrics is not None:
            self._metrics.close()
        return address

    def stop(self) -> None:
        """Sends watchers the last state and closes. Returns once the process has ended."""
        os.close(self._lifeline)
        os.waitpid(self._process_id, 0)

    def responder(self, call: ServerCall) -> Responder | None:
        """How to answer `call`; None for Watch."""
        return self._responders.get(call.head.path)

    def _listen(self, port: int) -> socket.socket:
        return listen(self._service.listens_at, port)

    def _run(self, listener: socket.socket, watched: int) -> NoReturn:
        status = 1
        try:
            # A terminal sends Ctrl-C to all of a group: the service drains, and is asked about until it is done.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            # Not only where the service is pinned to: beside its 1,000 threads an answer waited for seconds.
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
            os.close(self._lifeline)
            with self._exporting_metrics():
                asyncio.run(self._serve(listener, watched))
            status = 0
        finally:
            os._exit(status)  # what the service registered to happen at exit is the service's

    @contextmanager
    def _exporting_metrics(self) -> Iterator[None]:
        """Metrics are scraped and exported during that time, if configured."""
        read, who = partial(readings, self._service), resource(self._service)
        if self._metrics is not None:
            # Imported here alone, where no call runs: prometheus_client costs 5 MiB, OpenTelemetry 23.
            from services.telemetry import prometheus  # noqa: PLC0415

            prometheus.serve(self._metrics, who, read)
        if not metrics_go_out():
            yield
            return
        from services.telemetry.otlp_metrics import OtlpMetrics  # noqa: PLC0415

        exporter = OtlpMetrics(who, read)
        yield
        exporter.close(LAST_EXPORT_S)

    async def _serve(self, listener: socket.socket, watched: int) -> None:
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_reader(watched, stopping.set)
        acceptor = AsyncioAcceptor(listener, self._accepted, self._shortage)
        acceptor.accept()
        checks = PeerChecks(self._connections, Limits().check_s)
        checks.start()
        await stopping.wait()
        checks.stop()
        await acceptor.close()
        for watch in tuple(self._watches.values()):
            watch.end()
        for connection in tuple(self._connections):
            connection.flush()
            connection.abort()
        await asyncio.sleep(0)  # a turn of the loop, in which the sockets are closed

    def _accepted(self) -> AsyncioConnection:
        connection = AsyncioConnection(ServerSession(self._shapes), self, self._watch, self._connections.discard)
        self._connections.add(connection)
        return connection

    def _watch(self, connection: AsyncioConnection, event: ServerEvent) -> None:
        if isinstance(event, CallReceived):
            watch = self._watches[event.call] = HealthWatch(connection, event.call, self._health)
            watch.look()
        else:
            self._watches.pop(event.call).end()


class HealthWatch:
    """A caller of Watch: receives the state of its name at once, then whenever it has changed."""

    def __init__(self, connection: AsyncioConnection, call: ServerCall, states: health.Health) -> None:
        self._connection = connection
        self._call = call
        self._states = states
        self._name = health.asked_name(call.request)
        self._sent: int | None = None

    def look(self) -> None:
        """Sends the state if it has changed, now and after each WATCH_PERIOD_S."""
        self._send_change()
        self._timer = asyncio.get_running_loop().call_later(WATCH_PERIOD_S, self.look)

    def end(self) -> None:
        """The caller has left, or receives the last state and must connect again."""
        self._timer.cancel()
        self._send_change()
        self._connection.session.finish(self._call, Code.UNAVAILABLE, "service has stopped")

    def _send_change(self) -> None:
        status = self._states.status(self._name)
        if status != self._sent:
            self._sent = status
            self._connection.session.send_message(self._call, health.response(status))
            self._connection.flush_soon()
