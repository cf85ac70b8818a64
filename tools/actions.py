"""What is done to a service while it is measured: new settings for a stage, or the end of a worker process.

Must not know what loads the service, or why.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from sweetspot.v1.control_pb2 import StageSettings

from tools.control import ControlClient
from tools.experiment import Action
from tools.local import LocalError
from tools.processors import name_of, tree

WORKER = "worker-"
"""How a service names its worker processes (services/runtime/processes/children.py)."""


class Actor:
    """The actions of one service. Each method raises LocalError."""

    def __init__(self, actions: Sequence[Action], control: ControlClient, pid: int) -> None:
        """`pid` is the first process of the service. Raises LocalError if it has no such stage or no worker."""
        self._actions = sorted(actions, key=lambda action: action.at_s)
        self._control = control
        self._pid = pid
        stages = {stage.name for stage in control.snapshot().stages} if actions else set()
        for action in self._actions:
            if action.kill:
                self._worker()
            elif action.stage not in stages:
                have = f"only the stages {', '.join(sorted(stages))}" if stages else "no stages"
                raise LocalError(
                    f"an action needs the stage {action.stage!r}, but the service has {have}: change the action"
                )

    @contextmanager
    def acting(self, after_s: float) -> Iterator[None]:
        """Does each action at its time while the `with` block runs. The window begins in `after_s` seconds.

        If an action fails, the end of the `with` block raises its LocalError.
        """
        if not self._actions:  # nearly always: no thread beside what is measured
            yield
            return
        begin_s, left, failed = time.monotonic() + after_s, threading.Event(), list[LocalError]()

        def act() -> None:
            for action in self._actions:
                if left.wait(max(0.0, begin_s + action.at_s - time.monotonic())):
                    return
                try:
                    self._do(action)
                except LocalError as error:
                    failed.append(error)

        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        try:
            yield
        finally:
            left.set()
            thread.join()
        if failed:
            raise failed[0]

    def _do(self, action: Action) -> None:
        if action.stage is not None:
            self._control.configure(action.stage, StageSettings(**action.settings))
        else:
            with suppress(ProcessLookupError):  # it has ended already, so there is nothing to do
                os.kill(self._worker(), signal.SIGKILL)

    def _worker(self) -> int:
        workers = [pid for pid in tree(self._pid) if name_of(pid).startswith(WORKER)]
        if not workers:
            raise LocalError("an action kills a worker process, but the service has none: remove the action")
        return min(workers, key=lambda pid: int(name_of(pid).removeprefix(WORKER) or 0))
