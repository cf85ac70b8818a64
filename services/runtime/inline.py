"""Runs each call where it is read: in the loop's thread, by callbacks, which leave what comes next and return."""

from functools import partial

from services.runtime.callback_waits import CallbackWaits
from services.runtime.calls import Caller
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

    def received(self, connection: Caller, call: ServerCall) -> None:
        try:
            run = call.context = self._service.start(call, self._identity)
        except RpcError as error:
            connection.finish(call, error.code, error.message)
            return
        if run.streams:
            run.when_room = partial(connection.when_room, call)
        answer = Answer(connection, call, run)
        self._handle(run, self._waits, answer.send, answer.done)

    def cancelled(self, call: ServerCall) -> None:
        if isinstance(call.context, Run):
            self._waits.interrupt(call.context)


class Answer:
    """Where a handler sends what it answers to one call."""

    __slots__ = ("_call", "_connection", "_run")

    def __init__(self, connection: Caller, call: ServerCall, run: Run) -> None:
        self._connection = connection
        self._call = call
        self._run = run

    def send(self, message: bytes) -> None:
        self._connection.send(self._call, message)

    def done(self, code: Code, why: str) -> None:
        self._connection.finish(self._call, code, why)
        self._run.end(code)
        self._call.context = None  # each has the other: a cycle would hold the request until the collector runs
