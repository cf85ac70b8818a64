"""Runs an experiment on this machine: round after round, each trial kept as soon as it has ended.

    round ── a service for each arm, started anew ──> point ── connections ──> block ── a slice of each arm
                                                                                        in random order

One driver process loads all arms in turn; between its slices an arm is idle, and so are its counters read. With several
blocks the arms of a point stand side by side, and what is compared is measured within a second: trials that follow one
another differ by 28 % on a shared machine, slices of 0.4 s by 13 %.
Must not know what is shown on a terminal or in a report.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import yaml
from msgspec.structs import replace
from sweetspot.v1.control_pb2 import SnapshotReply

from tools import local
from tools.busy import STARVED_SHARE, words_for
from tools.checks import void
from tools.control import Control
from tools.experiment import Experiment, Point
from tools.local import LateError, LocalError
from tools.others import Others
from tools.results import Trial, write_trial, write_void
from tools.scratch import scratch_folder
from tools.slices import SliceDriver, slice_driver
from tools.trial import (
    BusyMachineError,
    Place,
    Service,
    label_flags,
    load_flags,
    others_of,
    serving,
    serving_arm,
    trace_file,
)
from tools.wanted import Wanted, shuffled


class Watcher(Protocol):
    """Who is told how the run goes."""

    def begins(self, trial: Wanted) -> None:
        """A trial starts."""

    def waits(self, trial: Wanted, why: str) -> None:
        """It cannot go on yet; `why` is one line."""

    def ended(self, trial: Trial) -> None:
        """It has ended and is kept. That a service answered nothing is a result too."""

    def void(self, trial: Wanted, why: str) -> None:
        """The machine kept it from being made, which is kept in its place; `why` is one line."""

    def failed(self, trial: Wanted, why: str) -> None:
        """It could not be made; `why` is one line."""


def run(experiment: Experiment, wanted: Sequence[Wanted], place: Place, watcher: Watcher) -> None:
    """Runs those trials, of which those of a round follow one another. Every process that was started is stopped.

    A trial that fails is reported to the watcher, and the next one runs. Raises LocalError without a backend, and
    BadResultsError where a trial cannot be kept.
    """
    pinning = place.pinning
    with (
        scratch_folder() as scratch,
        local.running_on(pinning.others if pinning else ()),
        serving(place, "backend") as backend,
    ):
        plan = scratch / "plan.yaml"
        plan.write_text(yaml.safe_dump(experiment.calls), encoding="utf-8")
        for _, of_round in groupby(wanted, lambda each: each.id.round):
            with ExitStack() as stack:
                stand = _Stand(experiment, place, plan, backend, stack)
                for _, at_point in groupby(of_round, lambda each: each.point):
                    _measure(stand, list(at_point), watcher)


def _measure(stand: "_Stand", at_point: Sequence[Wanted], watcher: Watcher) -> None:
    """The trials of one point in one round. A void one is repeated once, alone."""
    # One block compares nothing within seconds: each arm then has the machine's memory and descriptors for itself.
    groups = [at_point] if stand.experiment.blocks > 1 else [[each] for each in at_point]
    for group in groups:
        for each, _ in _side_by_side(stand, group, watcher):
            for still, why in _side_by_side(stand, [each], watcher):
                write_void(stand.place.folder, still.id, why)
                watcher.void(still, why)


def _side_by_side(stand: "_Stand", group: Sequence[Wanted], watcher: Watcher) -> list[tuple[Wanted, str]]:
    """Makes and keeps the trials of the group. Returns those that are void, and why."""
    trials: list[tuple[Wanted, Trial]] = []
    voids: list[tuple[Wanted, str]] = []
    with ExitStack() as stack:
        loads: list[_Load] = []
        for each in group:
            watcher.begins(each)
            with stand.reported(each, watcher):
                loads.append(stack.enter_context(_loading(stand, each)))
        for block in range(stand.experiment.blocks):
            order = shuffled(stand.experiment, f"{group[0].id.round} {group[0].point.name} {block}")
            for load in sorted(loads, key=lambda load: order.index(load.wanted.id.arm)):
                with stand.reported(load.wanted, watcher):
                    load.slice(block)
                    continue
                loads.remove(load)
        for load in loads:
            with stand.reported(load.wanted, watcher):
                trials.append((load.wanted, load.end()))
    for wanted, trial in trials:
        if why := "" if stand.place.despite_noise else void(trial):
            voids.append((wanted, why))
        else:
            write_trial(stand.place.folder, trial)
            watcher.ended(trial)
    return voids


class _Stand:
    """What a round needs beside its trials: the driver and the services, each started when it is first asked for, and
    again where it has ended."""

    def __init__(self, experiment: Experiment, place: Place, plan: Path, backend: Service, stack: ExitStack) -> None:
        self.experiment = experiment
        self.place = place
        self.plan = plan
        self._backend = backend
        self._stack = stack
        self._services: dict[str, Service] = {}
        self._driver: SliceDriver | None = None

    def driver(self) -> SliceDriver:
        """Raises LocalError."""
        if self._driver is None or self._driver.ended:
            self._driver = self._stack.enter_context(slice_driver(self.place.programs))
        return self._driver

    def service(self, wanted: Wanted) -> Service:
        """The arm's. Raises LocalError."""
        there = self._services.get(wanted.id.arm)
        if there is None or there.process.has_ended():
            options = [("backend", self._backend.address), *self.experiment.options(wanted.id.arm).items()]
            there = self._stack.enter_context(serving_arm(self.place, wanted.arm, options))
            self._services[wanted.id.arm] = there
        return there

    @contextmanager
    def reported(self, wanted: Wanted, watcher: Watcher) -> Iterator[None]:
        """What fails within the block is a failure of that trial, or of the machine. Raises LocalError where the
        backend has ended."""
        try:
            yield
        except LocalError as error:
            if self._backend.process.has_ended():
                raise
            service = self._services.get(wanted.id.arm)
            if service is not None and service.process.has_ended(local.DYING_S):
                watcher.failed(wanted, service.process.last_words())
            elif isinstance(error, BusyMachineError):
                write_void(self.place.folder, wanted.id, str(error))
                watcher.void(wanted, str(error))
            else:
                watcher.failed(wanted, str(error))
        else:
            if self._backend.process.has_ended():
                raise LocalError("the backend ended")


@dataclass(slots=True)
class _Load:
    """One arm at one point, with its connections open."""

    stand: _Stand
    wanted: Wanted
    control: Control
    before: SnapshotReply
    others: Others

    def slice(self, block: int) -> None:
        """Loads it for a while. Raises LocalError, and of those BusyMachineError where it is late and other processes
        had most of the CPU."""
        asked = self.stand.experiment
        try:
            with self.others:
                self.stand.driver().slice(
                    str(self.wanted.id),
                    warmup_s=asked.warmup_s,
                    duration_s=asked.duration_s,
                    seed=asked.seed + self.wanted.id.round * asked.blocks + block,
                    timeout_s=asked.load.timeout_s,
                )
        except LateError as error:
            if self.others.share > STARVED_SHARE:
                raise BusyMachineError(f"{words_for(self.others.share)}; {error}") from error
            raise

    def end(self) -> Trial:
        """Reads its counters, then closes its connections. Raises LocalError."""
        after = self.control.snapshot()
        result = self.stand.driver().close(str(self.wanted.id))
        if result is None:
            raise LocalError("driver: it made no slice")
        return Trial(
            self.wanted.id,
            self.wanted.arm.model,
            self.wanted.point.values,
            result,
            self.before,
            after,
            others_share=self.others.share,
            counted=result["got"]["counted"],
        )


@contextmanager
def _loading(stand: _Stand, wanted: Wanted) -> Iterator[_Load]:
    """The arm's connections, open for as long as the block lasts. Raises LocalError."""
    service, point = stand.service(wanted), wanted.point
    if point.rate_of_capacity is not None:
        point = replace(point, rate_rps=point.rate_of_capacity * _capacity_rps(stand, wanted, service))
    stand.driver().open(str(wanted.id), _arguments(stand, wanted, service, point))
    with Control(service.control) as control:
        others = others_of(stand.place, [service], wanted.arm.cpus)
        yield _Load(stand, wanted, control, control.snapshot(), others)


def _capacity_rps(stand: _Stand, wanted: Wanted, service: Service) -> float:
    """What the arm answers in a closed loop, now. Raises LocalError where it answers nothing."""
    driver, asked, name = stand.driver(), stand.experiment, f"capacity of {wanted.id}"
    driver.open(name, _arguments(stand, wanted, service, replace(wanted.point, streams=1)))
    slice_ = driver.slice(
        name, warmup_s=asked.warmup_s, duration_s=asked.duration_s, seed=asked.seed, timeout_s=asked.load.timeout_s
    )
    driver.close(name)
    if not slice_["answered"]:
        raise LocalError("it answers nothing in a closed loop, so that a multiple of its capacity is no rate")
    return float(slice_["answered"]) / asked.duration_s


def _arguments(stand: _Stand, wanted: Wanted, service: Service, point: Point) -> list[str]:
    return [
        *("--target", service.address, "--plan", str(stand.plan)),
        *load_flags(stand.experiment, point),
        *trace_file(stand.place, "driver"),
        *label_flags(stand.place.folder.resolve().name, wanted),
    ]
