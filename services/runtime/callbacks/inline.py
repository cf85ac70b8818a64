"""Runs each call where it is read: in the loop's thread, by callbacks, which leave what comes next and return."""

from functools import partial

from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.readiness.calls import ResponseSink
from services.runtime.service import Service
from services.wire import Code, RpcError, ServerCall
from services.workload import callbacks
from services.workload.run import Run


class InlineCalls:
    """The calls of one loop. All of it belongs to the loop's thread."""

    def __init__(self, service: Service, waits: CallbackWaits, handle: callbacks.Handle = callbacks.handle) -> None:
        self._service = service
        self._handle = handle
        self._waits = waits
        self._identity = service.identity()

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        try:
            run = call.context = self._service.start(call, self._identity)
        except RpcError as error:
            connection.finish(call, error.code, error.message)
            return
        if run.streams:
            run.when_room = partial(connection.when_room, call)
        self._handle(run, self._waits, partial(connection.send, call), partial(self._ended, connection, call, run))

    def cancelled(self, call: ServerCall) -> None:
        if isinstance(call.context, Run):
            self._waits.interrupt(call.context)

    def _ended(self, connection: ResponseSink, call: ServerCall, run: Run, code: Code, why: str) -> None:
        connection.finish(call, code, why)
        run.end(code)
        call.context = None  # each has the other: a cycle would hold the request until the collector runs
