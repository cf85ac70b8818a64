"""The downstream service: it replies after the asked delay. Its latency is "the I/O" of every model.

    services           the loop                      timers
    s1 ----.      .------------------.      .---------------------.
    s2 ----+----> | read, draw delay | ---> | due in 3 ms: reply  |
    s3 ----'      '------------------'      | due in 5 ms: reply  |
       ^                                    | ...                 |
       '------------------------------------'---------------------'

Who waits      No thread: a call that waits is an entry in the loop's heap of timers.
What bounds it One CPU for the messages; thousands of calls wait at once. A timer of epoll_wait(2) has whole
               milliseconds, so a reply comes up to 1 ms after its time, never before.
When full      MAX_CONCURRENT_STREAMS, 100,000 on each connection; a further call waits in its client.
After          Varghese and Lauck, Hashed and Hierarchical Timing Wheels, SOSP 1987: their scheme with a priority queue.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

from sweetspot.v1 import backend_pb2, workload_pb2

from services.runtime.libraries.aio import AsyncioConnection, serve_until_drained
from services.runtime.libraries.aio_loop import new_loop
from services.runtime.service import Service
from services.telemetry import CallTrace
from services.wire import Allowance, CallReceived, Code, ServerCall, ServerEvent
from services.workload.plan import read_fetch
from services.workload.run import FETCH_PATH

MAX_CONCURRENT_STREAMS = 100_000
MAX_DELAY_US = 60_000_000
LOGNORMAL_SIGMA = 1.0


def serve(service: Service) -> None:
    """Serves until drained."""
    # Its clients are services, not strangers: many calls share a connection, and when a service learns that thousands
    # of its callers have given up, it gives up as many calls here.
    patience = Allowance(burst=MAX_CONCURRENT_STREAMS, per_second=MAX_CONCURRENT_STREAMS)
    service.limits = replace(
        service.limits, max_concurrent_streams=MAX_CONCURRENT_STREAMS, resets_received=patience, resets_sent=patience
    )
    with asyncio.Runner(loop_factory=partial(new_loop, service.loop_lag)) as runner:
        runner.run(serve_until_drained(service, Backend(service, random.Random()).handle))


class Backend:
    """Starts a timer for each call, and replies when it is due."""

    def __init__(self, service: Service, source: random.Random) -> None:
        self._service = service
        self._random = source

    def handle(self, connection: AsyncioConnection, event: ServerEvent) -> None:
        """Deals with an event of Fetch. Raises RpcError for a request out of range."""
        call = event.call
        if isinstance(event, CallReceived):
            call.context = WaitingCall(connection, call, self._service, self._random)
        elif isinstance(call.context, WaitingCall):
            call.context.cancel()


class WaitingCall:
    """One call from its arrival to its end."""

    __slots__ = ("_call", "_connection", "_delay_us", "_size_bytes", "_timer", "_trace")

    def __init__(
        self, connection: AsyncioConnection, call: ServerCall, service: Service, source: random.Random
    ) -> None:
        fetch = read_fetch(call.request)
        self._connection = connection
        self._call = call
        self._size_bytes = fetch.reply_bytes
        self._delay_us = draw_delay_us(source, fetch.distribution, fetch.delay_us)
        self._trace = _trace(service, call)
        due_ns = call.received_ns + self._delay_us * 1000
        finish: Callable[[], None] = self._reply
        if call.deadline_ns is not None and call.deadline_ns < due_ns:
            due_ns, finish = call.deadline_ns, self._expire
        self._timer = asyncio.get_running_loop().call_later((due_ns - time.monotonic_ns()) / 1e9, finish)

    def cancel(self) -> None:
        """The caller no longer waits for the reply."""
        self._timer.cancel()
        self._end(Code.CANCELLED, "cancelled by the caller")

    def _reply(self) -> None:
        reply = backend_pb2.FetchReply(payload=payload(self._size_bytes), delay_us=self._delay_us)
        self._connection.session.send_message(self._call, reply.SerializeToString())
        self._end(Code.OK, "")

    def _expire(self) -> None:
        self._end(Code.DEADLINE_EXCEEDED, "deadline exceeded")

    def _end(self, code: Code, why: str) -> None:
        self._connection.session.finish(self._call, code, why)
        self._connection.flush_soon()
        if self._trace is not None:
            received_ns, worker = self._call.received_ns, threading.current_thread().name
            self._trace.end(received_ns, received_ns, time.monotonic_ns(), code, worker)


def draw_delay_us(source: random.Random, distribution: workload_pb2.Distribution, mean_us: int) -> int:
    """A delay of that mean, in microseconds; at most MAX_DELAY_US."""
    if mean_us == 0:
        return 0
    if distribution == workload_pb2.DISTRIBUTION_UNIFORM:
        drawn_us = source.uniform(0, 2 * mean_us)
    elif distribution == workload_pb2.DISTRIBUTION_EXPONENTIAL:
        drawn_us = source.expovariate(1 / mean_us)
    elif distribution == workload_pb2.DISTRIBUTION_LOGNORMAL:
        # The mean of a log-normal distribution is exp(mu + sigma^2 / 2).
        drawn_us = source.lognormvariate(math.log(mean_us) - LOGNORMAL_SIGMA**2 / 2, LOGNORMAL_SIGMA)
    else:
        return mean_us
    return min(round(drawn_us), MAX_DELAY_US)


@lru_cache(maxsize=64)
def payload(size_bytes: int) -> bytes:
    """The payload of that size, always the same."""
    return (bytes(range(256)) * (size_bytes // 256 + 1))[:size_bytes]


def _trace(service: Service, call: ServerCall) -> CallTrace | None:
    if service.tracing is None or not call.head.trace_context:
        return None
    return service.tracing.server_call(call.head.trace_context, FETCH_PATH)
