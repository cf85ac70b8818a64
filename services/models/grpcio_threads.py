"""Baseline: grpcio's server with a pool of threads, and a bound on the calls that wait.

    clients      grpcio's C core                 executor's queue       pool
    c1 ----.   .-----------------------.                            .-- [ run ] --.
    c2 ----+-->| sockets, HTTP/2, gRPC | --> | call | call | ... |--+-- [ run ] --+--> C core writes
    c3 ----'   |   (threads of its own)|         ^                  '-- [ run ] --'
               '-----------------------'         |                         '---> backend, a connection each
                                                 '-- one thread of Python asks the core for the next call

Who waits      A worker, for the next call, then for the backend or for a stream's client to read; the core's threads,
               for the sockets.
What bounds it Calls that run at once: the pool. Calls a second: the thread that asks the core, and the lock.
               `--processes N` serves with N of these, each with a listener of its own and 1/N of the threads.
When full      `queue_bound` calls beyond a process's pool are queued; a further one is answered RESOURCE_EXHAUSTED by
               the thread that asks the core. What that has not come to yet, the core drops as in grpcio_asyncio.
After          grpc.github.io/grpc/python/grpc.html, `grpc.server`.
"""

import math
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import grpc

from services.runtime.answers.responders import ImmediateMethod
from services.runtime.drain import DRAIN_POLL_S, GOAWAY_GRACE_S
from services.runtime.libraries.grpcio import (
    STATUS,
    GrpcioArrival,
    MethodHandlers,
    add_port,
    options,
    serve_in_processes,
)
from services.runtime.service import Service
from services.runtime.threads.blocking_waits import BlockingWaits
from services.runtime.workers import QUEUE_BOUND, pool_threads, processes
from services.wire import Code, RpcError
from services.workload import linear

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def serve(service: Service) -> None:
    """Serves until drained."""
    serve_in_processes(service, serve_at)


def serve_at(service: Service, port: int, listening: Callable[[int], None]) -> None:
    """One process's part."""
    config = service.config
    workers = math.ceil(pool_threads(config) / processes(config))
    pool = GrpcioPool(workers, service)
    server = grpc.server(
        pool,
        handlers=(ThreadHandlers(service),),
        options=options(config),
        maximum_concurrent_rpcs=workers + config[QUEUE_BOUND],
    )
    port = add_port(server, service, port)
    server.start()
    listening(port)
    select.select([service.drain], [], [])
    stopped = server.stop(config.drain_timeout_s)
    while not (stopped.wait(DRAIN_POLL_S) or service.drained()):
        pass
    server.stop(None).wait(GOAWAY_GRACE_S)  # now and then it also waits for a handler that blocks
    pool.shutdown(wait=False, cancel_futures=True)


class GrpcioPool(ThreadPoolExecutor):
    """Counts the calls that wait for a thread, and those that run."""

    def __init__(self, workers: int, service: Service) -> None:
        super().__init__(workers, thread_name_prefix="worker")
        self._service = service
        service.queue.set(0)

    def submit(
        self, task: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        service = self._service

        def taken() -> Result:
            service.queue.add(-1)
            return task(*args, **kwargs)

        service.queue.add(1)
        service.calls_in_flight.add(1)
        future = super().submit(taken)
        future.add_done_callback(lambda _: service.calls_in_flight.add(-1))
        return future


class ThreadHandlers(MethodHandlers):
    """Runs each call in the worker that took it."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._of_worker = threading.local()

    def run(self, arrival: GrpcioArrival, request: bytes, context: Any) -> bytes:
        (reply,) = self.run_stream(arrival, request, context)
        return reply

    def run_stream(self, arrival: GrpcioArrival, request: bytes, context: Any) -> Iterator[bytes]:
        of_worker = self._of_worker
        if not hasattr(of_worker, "waits"):
            of_worker.waits = BlockingWaits(self._service.config.backend)
            of_worker.identity = self._service.identity()
        call = arrival.call(request, context.time_remaining())
        if not context.add_callback(call.cancel):
            call.cancel()
        run = None
        code = Code.UNKNOWN
        try:
            run = self.start(arrival, call, of_worker.identity)
            yield from linear.handle(run, of_worker.waits)
            code = Code.OK
        except RpcError as error:
            code = error.code
            context.abort(STATUS[code], error.message)
        finally:
            if run is not None:
                run.end(code)

    def answer(self, answer: ImmediateMethod, request: bytes, context: Any) -> bytes:
        try:
            return answer(request)
        except RpcError as error:
            context.abort(STATUS[error.code], error.message)
            raise

    def answer_each(self, answer: ImmediateMethod, requests: Iterable[bytes], context: Any) -> Iterator[bytes]:
        return map(answer, requests)
