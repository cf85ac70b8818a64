"""How callbacks wait on a loop: a timer, or a backend call on the loop's connection."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from services.network.address import Address
from services.runtime.backend.channel import NO_BACKEND, Channel, Then
from services.runtime.backend.connector import NameLookups, WatchingLoop
from services.wire import ClientCall, Code, RpcError
from services.workload.run import Fetch, Run


class ChannelConnection(Protocol):
    """What is asked of a loop's connection to the backend."""

    channel: Channel

    def connect(self) -> None:
        """Begins to connect; returns at once. Calls that were started before are sent when it is connected."""

    def flush_soon(self) -> None:
        """Has the channel's bytes written, once for all that happens in this round."""


ConnectionTo = Callable[[Address, NameLookups], ChannelConnection]
"""Makes a connection to that address, which is not connected yet."""


class CallbackWaits:
    """Waits for many calls at once, without a thread for each. Only the loop's thread may use it."""

    def __init__(self, backend: Address | None, loop: WatchingLoop, connection_to: ConnectionTo) -> None:
        self._backend = backend
        self._loop = loop
        self._names = NameLookups(loop)
        self._connection_to = connection_to
        self._connection: ChannelConnection | None = None
        self._waiting: dict[Run, PendingWait] = {}

    def sleep(self, duration_us: int, run: Run, then: Callable[[], None]) -> None:
        due_ns = time.monotonic_ns() + duration_us * 1000
        if run.deadline_ns is not None:
            due_ns = min(due_ns, run.deadline_ns)
        timer = self._loop.call_at(due_ns, lambda: self.interrupt(run))
        self._waiting[run] = PendingWait(lambda _: then(), timer)

    def fetch(self, fetch: Fetch, run: Run, then: Then) -> None:
        if self._backend is None:
            error = RpcError(*NO_BACKEND)
            self._loop.soon(partial(then, error))
            return
        if self._connection is None or not self._connection.channel.takes_calls:
            self._connection = self._connection_to(self._backend, self._names)
            self._connection.connect()
        connection = self._connection
        try:
            call = connection.channel.start(fetch, lambda reply: self._resume(run, reply))
        except RpcError as refused:
            self._loop.soon(partial(then, refused))
            return
        connection.flush_soon()
        timer = None if run.deadline_ns is None else self._loop.call_at(run.deadline_ns, lambda: self.interrupt(run))
        self._waiting[run] = PendingWait(then, timer, connection, call)

    def room(self, run: Run, then: Callable[[], None]) -> None:
        deadline_ns = run.deadline_ns
        timer = None if deadline_ns is None else self._loop.call_at(deadline_ns, lambda: self.interrupt(run))
        self._waiting[run] = waiting = PendingWait(lambda _: then(), timer)
        run.ask_room(lambda: self._resume(run, b"") if self._waiting.get(run) is waiting else None)

    def interrupt(self, run: Run) -> None:
        """Ends whatever `run` waits for, now: its time has come, or no caller waits for it any more."""
        waiting = self._waiting.get(run)
        if waiting is not None:
            if waiting.connection is not None and waiting.call is not None:
                waiting.connection.channel.give_up(waiting.call)
                waiting.connection.flush_soon()
            self._resume(run, RpcError(Code.CANCELLED, "the call no longer waits for the backend"))

    def _resume(self, run: Run, reply: bytes | RpcError) -> None:
        waiting = self._waiting.pop(run, None)
        if waiting is not None:
            if waiting.timer is not None:
                self._loop.cancel(waiting.timer)
            waiting.then(reply)


@dataclass(slots=True)
class PendingWait:
    """What resumes a run, and what to take back when it resumes early."""

    then: Then
    timer: Any
    connection: ChannelConnection | None = None
    call: ClientCall | None = None
