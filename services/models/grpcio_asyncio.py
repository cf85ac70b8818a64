"""Baseline: grpcio's server for asyncio.

    clients      grpcio's C core                      asyncio loop
    c1 ----.   .-----------------------.  wakes   .--------------------.
    c2 ----+-->| sockets, HTTP/2, gRPC | -------> | task: run, await,  | ---> backend
    c3 ----'   |  (threads of its own)| <------- |       run, answer  |
               '-----------------------'          '--------------------'

Who waits      A coroutine, at each `await`; the core's threads, for the sockets.
What bounds it One CPU, and for each call several hand-overs between the core's threads and the loop's.
               `--processes N` serves with N of these, each with a listener of its own, and a loop in a thread.
When full      MAX_CONCURRENT_STREAMS bounds each connection's tasks. Of calls that wait in the core, it drops some from
               1,000 on and all from 3,000 on: callers see CANCELLED, or a rejected stream (grpc/grpc,
               src/core/server/server.h, max_pending_requests).
After          grpc.github.io/grpc/python/grpc_asyncio.html.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import grpc

from services.runtime.answers.responders import ImmediateMethod
from services.runtime.drain import DRAIN_POLL_S
from services.runtime.libraries.aio import AsyncioWaits
from services.runtime.libraries.aio_loop import new_loop
from services.runtime.libraries.grpcio import (
    STATUS,
    GrpcioArrival,
    MethodHandlers,
    add_port,
    options,
    serve_in_processes,
)
from services.runtime.service import Service
from services.runtime.threads.loops import run_in_threads
from services.runtime.workers import PROCESSES
from services.wire import Code, RpcError
from services.workload.awaiting import handler


def serve(service: Service) -> None:
    """Serves until drained."""
    serve_in_processes(service, serve_at)


def serve_at(service: Service, port: int, listening: Callable[[int], None]) -> None:
    """One process's part."""

    def run_loop(port: int) -> None:
        with asyncio.Runner(loop_factory=partial(new_loop, service.loop_lag)) as runner:
            runner.run(serve_until_drained(service, port, listening))

    if service.config[PROCESSES] == 1:
        run_loop(port)
    else:
        # asyncio swallows the TimeIsUp of a main thread that runs a task.
        run_in_threads(run_loop, [port])


async def serve_until_drained(service: Service, port: int, listening: Callable[[int], None]) -> None:
    handlers = CoroutineHandlers(service)
    server = grpc.aio.server(handlers=(handlers,), options=options(service.config))
    port = add_port(server, service, port)
    await server.start()
    listening(port)
    drain_asked = asyncio.Event()
    asyncio.get_running_loop().add_reader(service.drain, drain_asked.set)
    await drain_asked.wait()
    asyncio.get_running_loop().remove_reader(service.drain)  # it stays readable, and the loop would spin
    stopped = asyncio.create_task(server.stop(service.config.drain_timeout_s))
    while not (stopped.done() or service.drained()):
        await asyncio.wait((stopped,), timeout=DRAIN_POLL_S)
    await server.stop(None)


class CoroutineHandlers(MethodHandlers):
    """Runs each call in the task that grpcio makes for it."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._waits = AsyncioWaits(service.config.backend)
        self._identity = service.identity()

    async def run(self, arrival: GrpcioArrival, request: bytes, context: Any) -> bytes:
        (reply,) = [reply async for reply in self.run_stream(arrival, request, context)]
        return reply

    async def run_stream(self, arrival: GrpcioArrival, request: bytes, context: Any) -> AsyncIterator[bytes]:
        run = None
        code = Code.UNKNOWN
        self._service.calls_in_flight.add(1)
        try:
            run = self.start(arrival, arrival.call(request, context.time_remaining()), self._identity)
            async for reply in handler()(run, self._waits):
                yield reply
            code = Code.OK
        except RpcError as error:
            code = error.code
            await context.abort(STATUS[code], error.message)
        except asyncio.CancelledError:
            code = Code.CANCELLED
            raise
        finally:
            self._service.calls_in_flight.add(-1)
            if run is not None:
                run.end(code)

    async def answer(self, answer: ImmediateMethod, request: bytes, context: Any) -> bytes:
        try:
            return answer(request)
        except RpcError as error:
            await context.abort(STATUS[error.code], error.message)
            raise

    async def answer_each(
        self, answer: ImmediateMethod, requests: AsyncIterator[bytes], context: Any
    ) -> AsyncIterator[bytes]:
        async for request in requests:
            yield answer(request)
