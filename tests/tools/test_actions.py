"""What an experiment does to a service while it is measured."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest
from sweetspot.v1.control_pb2 import SnapshotReply, Stage, StageSettings

from tools.actions import Actor
from tools.experiment import Action, BadExperimentError, parse
from tools.local import LocalError

WORKER = """
import ctypes, signal, sys
ctypes.CDLL(None).prctl(15, b"worker-0")
print("runs", flush=True)
signal.pause()
"""
SERVICE = f"""
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", {WORKER!r}])
print(worker.pid, flush=True)
print(worker.wait(), flush=True)
"""


class FakeControl:
    """A control port of a service with two stages."""

    def __init__(self, *stages: str) -> None:
        self.stages = stages
        self.requests: SimpleQueue[str] = SimpleQueue()
        self.configured: list[tuple[str, StageSettings]] = []
        self.refuses = False

    def snapshot(self) -> SnapshotReply:
        return SnapshotReply(stages=[Stage(name=name) for name in self.stages])

    def configure(self, stage: str, settings: StageSettings) -> None:
        self.configured.append((stage, settings))
        self.requests.put(stage)
        if self.refuses:
            raise LocalError("its control port answered UNAVAILABLE: gone")

    def wait_for(self, number: int) -> None:
        for _ in range(number):
            self.requests.get(timeout=10)


BYPASS = Action(at_s=0.02, stage="compute", settings={"bypass": 1})
BACK = Action(at_s=0.01, stage="compute", settings={"bypass": 0})
KILL = Action(at_s=0.0, kill="worker")


def actor(control: FakeControl, *actions: Action, pid: int = 0) -> Actor:
    return Actor(actions, control, pid or os.getpid())  # type: ignore[arg-type]


@contextmanager
def service() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with a worker, and the worker's process id."""
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = sorted(process.stdout.readline().strip() for _ in range(2))
        assert lines[1] == "runs"
        yield process, int(lines[0])
        process.wait(10)


def test_settings_are_changed_in_the_order_of_their_times() -> None:
    control = FakeControl("admit", "compute")
    with actor(control, BYPASS, BACK).acting(after_s=0):
        control.wait_for(2)
    assert control.configured == [("compute", StageSettings(bypass=0)), ("compute", StageSettings(bypass=1))]


def test_what_is_due_after_the_slice_is_not_done() -> None:
    control = FakeControl("compute")
    with actor(control, BYPASS).acting(after_s=3600):
        pass
    assert control.configured == []


def test_a_worker_process_is_killed() -> None:
    with service() as (process, worker):
        with actor(FakeControl(), KILL, pid=process.pid).acting(after_s=0):
            assert process.stdout is not None
            assert int(process.stdout.readline()) == -signal.SIGKILL
        assert not Path(f"/proc/{worker}").exists()


def test_an_action_that_fails_fails_the_slice() -> None:
    control = FakeControl("compute")
    refused = actor(control, BACK, BYPASS)
    control.refuses = True
    with pytest.raises(LocalError, match="UNAVAILABLE"), refused.acting(after_s=0):
        control.wait_for(2)


@pytest.mark.parametrize(
    ("action", "control", "why"),
    [
        (BYPASS, FakeControl(), "an action needs the stage 'compute', but the service has no stages"),
        (BYPASS, FakeControl("admit", "reply"), "the service has only the stages admit, reply"),
        (KILL, FakeControl(), "an action kills a worker process, but the service has none"),
    ],
)
def test_a_service_that_lacks_what_an_action_needs_is_named_before_the_load(
    action: Action, control: FakeControl, why: str
) -> None:
    with pytest.raises(LocalError, match=why):
        actor(control, action)


BAD = [
    ("{at_s: 1}", "exactly one of kill and stage"),
    ("{at_s: 1, kill: worker, stage: compute}", "exactly one of kill and stage"),
    ("{at_s: 1, kill: service}", "at $.actions[0].kill: Invalid enum value 'service'"),
    ("{at_s: 1, stage: compute}", "stage and settings need each other"),
    ("{at_s: 1, kill: worker, settings: {bypass: 1}}", "stage and settings need each other"),
    ("{at_s: 1, stage: compute, settings: {bypas: 1}}", "bypas is not one of rate_per_s, "),
    ("{at_s: 1, stage: compute, settings: {bypass: -1}}", "at $.actions[0].settings"),
    ("{at_s: 5, kill: worker}", "at $.actions[0].at_s: a window ends after 5 s: set an earlier time"),
    ("{kill: worker}", "missing required field `at_s`"),
]


@pytest.mark.parametrize(("action", "why"), BAD)
def test_an_action_that_makes_no_sense_is_rejected_by_its_key(action: str, why: str) -> None:
    with pytest.raises(BadExperimentError) as it:
        parse(f"{{title: Load, connections: 1, plan: {{}}, actions: [{action}]}}", "test")
    assert why in str(it.value)
