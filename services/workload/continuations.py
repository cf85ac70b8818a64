"""The handler as a generator: where it waits it yields, and what is left of it is the continuation.

It gives up control with a function that takes its continuation; a trampoline passes itself on there, so that each wait
ends in the loop and not one frame deeper. After van Rossum and Eby, PEP 342, "Coroutines via Enhanced Generators", and
the continuations of Adya et al., USENIX 2002, section 4.
"""

import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from services.wire import OK
from services.workload.callbacks import OnEnd, Send, Waits
from services.workload.run import Run, status_of

Wait = Callable[[Callable[..., None]], None]
"""Given a callback, has it called later, once, with what was waited for if there is any."""


def handle(run: Run, waits: Waits, send: Send, done: OnEnd) -> None:
    """Runs the plan: `send` gets each serialised reply, `done` the status, once, now or later."""
    trampoline(handler(run, waits, send), done)


def handler(run: Run, waits: Waits, send: Send) -> Generator[Wait, Any, None]:
    for step in run.steps:
        started_ns = time.monotonic_ns()
        if step.HasField("call"):
            fetch = run.fetch(step)
            run.fetched(fetch, started_ns, (yield partial(waits.fetch, fetch, run)))
        elif step.HasField("sleep"):
            yield partial(waits.sleep, step.sleep.duration_us, run)
            run.slept(step, started_ns)
        elif step.HasField("transfer"):
            for _ in run.transfer(step):
                yield partial(waits.sleep, 0, run)
        else:
            run.work(step)
        if run.streams:
            send(run.streamed())
            if run.has_streamed_much:
                yield partial(waits.room, run)
    if not run.streams:
        send(run.reply())


def trampoline(generator: Generator[Wait, Any, None], done: OnEnd) -> None:
    """Takes `generator` from wait to wait; each time what it waits for brings it back here."""
    resume(generator, done)


def resume(generator: Generator[Wait, Any, None], done: OnEnd, value: object = None) -> None:
    try:
        wait = generator.send(value)
        wait(partial(resume, generator, done))
    except StopIteration:
        done(OK, "")
    except Exception as error:
        done(*status_of(error))
