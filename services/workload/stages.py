"""The handler cut in two, for models that run a call's steps in one place and its waits in another.

Nothing of it is on a stack in between: a run goes from one half to the other as what it has come to.
"""

import time
from collections.abc import Callable

from services.workload.run import Run


def waits_next(run: Run) -> bool:
    """Whether the next step waits for I/O or time, so that the other half is to take it."""
    steps, taken = run.steps, run.taken
    return taken < len(steps) and steps[taken].WhichOneof("kind") in ("call", "sleep")


def compute(run: Run, send: Callable[[bytes], None]) -> bool:
    """Takes the steps up to the next one that waits, or until much was streamed. Returns whether that was all of them.

    `send` gets each serialised reply. Raises what a step does.
    """
    while run.taken < len(run.steps):
        if waits_next(run):
            return False
        step = run.steps[run.taken]
        if step.HasField("transfer"):
            for _ in run.transfer(step):
                time.sleep(0)  # as threads give way: sched_yield(2) is all there is to wait for
        else:
            run.work(step)
        if run.streams:
            send(run.streamed())
        if run.has_streamed_much:
            return False
    if not run.streams:
        send(run.reply())
    return True
