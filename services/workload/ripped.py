"""The handler as a state record that it maintains itself: what one writes where the language has neither closures nor
coroutines.

Each place that waits ends a function, and what the next one needs of its variables goes into the record first: the
stack is ripped (Adya et al., USENIX 2002, section 3.1). A bound method is the pair that C passes on: a function and the
record with which it continues.
"""

import time
from collections.abc import Iterator

from sweetspot.v1 import workload_pb2

from services.wire import OK, RpcError
from services.workload.callbacks import OnEnd, Send, Waits
from services.workload.run import Fetch, Run, status_of


def handle(run: Run, waits: Waits, send: Send, done: OnEnd) -> None:
    """Runs the plan: `send` gets each serialised reply, `done` the status, once, now or later."""
    CallRecord(run, waits, send, done).proceed()


class CallRecord:
    """One call, between the functions that take turns at it."""

    __slots__ = ("asked", "at", "done", "moves", "run", "send", "started_ns", "step", "waits")

    asked: Fetch
    moves: Iterator[None]
    started_ns: int
    step: workload_pb2.Step

    def __init__(self, run: Run, waits: Waits, send: Send, done: OnEnd) -> None:
        self.run = run
        self.waits = waits
        self.send = send
        self.done = done
        self.at = 0

    def proceed(self) -> None:
        run = self.run
        if run.has_streamed_much:
            self.waits.room(run, self.proceed)
            return
        try:
            while self.at < len(run.steps):
                step = run.steps[self.at]
                self.at += 1
                if step.HasField("call"):
                    self.started_ns = time.monotonic_ns()
                    self.asked = run.fetch(step)
                    self.waits.fetch(self.asked, run, self.fetched)
                    return
                if step.HasField("sleep"):
                    self.started_ns = time.monotonic_ns()
                    self.step = step
                    self.waits.sleep(step.sleep.duration_us, run, self.slept)
                    return
                if step.HasField("transfer"):
                    self.moves = run.transfer(step)
                    self.moved()
                    return
                run.work(step)
                if run.streams:
                    self.send(run.streamed())
                if run.has_streamed_much:
                    self.proceed()
                    return
            if not run.streams:
                self.send(run.reply())
        except Exception as error:
            self.done(*status_of(error))
        else:
            self.done(OK, "")

    def fetched(self, reply: bytes | RpcError) -> None:
        try:
            self.run.fetched(self.asked, self.started_ns, reply)
            if self.run.streams:
                self.send(self.run.streamed())
        except Exception as error:
            self.done(*status_of(error))
        else:
            self.proceed()

    def slept(self) -> None:
        try:
            self.run.slept(self.step, self.started_ns)
            if self.run.streams:
                self.send(self.run.streamed())
        except Exception as error:
            self.done(*status_of(error))
        else:
            self.proceed()

    def moved(self) -> None:
        try:
            for _ in self.moves:
                self.waits.sleep(0, self.run, self.moved)
                return
            if self.run.streams:
                self.send(self.run.streamed())
        except Exception as error:
            self.done(*status_of(error))
        else:
            self.proceed()
