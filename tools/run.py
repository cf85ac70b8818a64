"""Runs an experiment on this machine: round after round, each trial stored as soon as it has ended.

    round ── a service for each arm, started anew ──> point ── connections ──> block ── a slice of each arm
                                                                                        in random order

One driver process loads all arms in turn. Between its slices an arm is idle, and its counters are read only then. With
several blocks the arms of a point run side by side, and what is compared is measured within a second. On a shared
machine, trials that follow one another differ by 28 %, slices of 0.4 s by 13 %. Must not know what is shown on a
terminal or in a report.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Protocol, Self

import yaml

from tools import local
from tools.checks import judged
from tools.clients.load import ProgramLoad
from tools.clients.programs import PROGRAMS
from tools.clients.request import encode
from tools.experiment import Experiment, Point
from tools.local import LocalError, Process
from tools.processors import becomes_idle
from tools.results import Trial, TrialId, read_existing, read_trials, write_failed, write_trial, write_void
from tools.scratch import scratch_folder
from tools.serving import LocalService, LocalSetup, listening, serving_backend, starting_arm, trace_file
from tools.slices import AddressRefusedError, DriverLostError, SliceDriver, slice_driver
from tools.trial import (
    BusyMachineError,
    LoadSession,
    OpenLoad,
    driver_load,
    load_flags,
    loading,
    others_of,
    slice_of,
    trial_flags,
)
from tools.trial_specs import TrialSpec, shuffled

SETTLE_S = 2.0
"""Time for a service to end what its load has left: 1,000 threads or processes, and calls without a client."""


class TrialWatcher(Protocol):
    """Is notified of the progress of a run."""

    def begins(self, trial: TrialSpec) -> None:
        """A trial starts."""

    def waits(self, trial: TrialSpec, why: str) -> None:
        """It cannot continue yet; `why` is one line."""

    def ended(self, trial: Trial) -> None:
        """It has ended and is stored. A service that answered no call is a result too."""

    def repeats(self, trial: TrialSpec, why: str) -> None:
        """It had ended, is void beside the other arms, and is made again; `why` is one line."""

    def void(self, trial: TrialSpec, why: str) -> None:
        """It could not be made because of the machine. This is stored in its place; `why` is one line."""

    def failed(self, trial: TrialSpec, why: str) -> None:
        """It could not be made; `why` is one line."""


def run(experiment: Experiment, wanted: Sequence[TrialSpec], setup: LocalSetup, watcher: TrialWatcher) -> None:
    """Runs those trials, of which those of a round follow one another. Every process that was started is stopped.

    A trial that fails is reported to the watcher, and the next one runs. With `until: decided`, no round begins after
    every point is decided. Raises LocalError without a backend, and BadResultsError if a trial cannot be stored.
    """
    pinning = setup.pinning
    with (
        scratch_folder() as scratch,
        local.running_on(pinning.others if pinning else ()),
        serving_backend(setup) as backend,
    ):
        for _, of_round in groupby(wanted, lambda each: each.id.round):
            if _is_decided(experiment, setup):
                return
            trials = list(of_round)
            with _RoundServices(experiment, setup, scratch, backend) as stand:
                stand.start({each.id.service: each for each in trials})
                for _, at_point in groupby(trials, lambda each: each.point):
                    _measure(stand, list(at_point), watcher)


def _is_decided(experiment: Experiment, setup: LocalSetup) -> bool:
    if experiment.until is None:
        return False
    from tools.early_stop import decided  # noqa: PLC0415  (scipy)

    return decided(experiment, read_trials(setup.folder).trials)


def _measure(stand: "_RoundServices", at_point: Sequence[TrialSpec], watcher: TrialWatcher) -> None:
    """Makes and stores the trials of one point in one round.

    A trial is repeated once if it is void, or if another trial ended the driver. The trials that it is compared with
    slice by slice are repeated too.
    """
    # With one block nothing is compared within seconds: each arm then has the machine's memory and descriptors alone.
    groups = [at_point] if stand.experiment.blocks > 1 else [[each] for each in at_point]
    made: list[_TrialOutcome] = []
    for group in groups:
        of_group = _side_by_side(stand, group, watcher)
        if any(one.why for one in of_group):
            of_group = _side_by_side(stand, [one.wanted for one in of_group], watcher)
        for one in of_group:
            stand.store(one, watcher)
        made += of_group
    if len(groups) > 1:
        _repeat_those_apart(stand, made, watcher)


def _repeat_those_apart(stand: "_RoundServices", made: Sequence["_TrialOutcome"], watcher: TrialWatcher) -> None:
    """Trials that were made one after the other may be void only beside each other: these are made once more."""
    known = stand.stored_beside([one.wanted.id for one in made])
    first = {one.wanted.id: one for one in made if not one.why}
    void = [one for one in stand.judged(list(first.values()), known) if one.why]
    for one in void:
        watcher.repeats(one.wanted, one.why)
    again = {one.wanted.id: one for each in void for one in _side_by_side(stand, [each.wanted], watcher)}
    for one in stand.judged(list((first | again).values()), known):
        if one.why or one.wanted.id in again:
            stand.store(one, watcher)
        elif one.trial is not None and one.trial.waived:
            write_trial(stand.setup.folder, one.trial)


@dataclass(frozen=True, slots=True)
class _TrialOutcome:
    """The outcome of a trial that did not fail."""

    wanted: TrialSpec
    trial: Trial | None
    why: str = ""
    """Why it is void; empty if it is a result."""


def _side_by_side(stand: "_RoundServices", group: Sequence[TrialSpec], watcher: TrialWatcher) -> list[_TrialOutcome]:
    """Makes the trials of the group, and judges them. One that fails is reported, and is not returned."""
    made: list[_TrialOutcome] = []
    with ExitStack() as stack:
        loads: list[LoadSession] = []
        for each in group:
            watcher.begins(each)
            with stand.reported(each, watcher, made):
                loads.append(stack.enter_context(stand.loading(each)))
        for block in range(stand.experiment.blocks):
            order = shuffled(stand.experiment, f"{group[0].id.round} {group[0].point.name} {block}")
            for load in sorted(loads, key=lambda load: order.index(load.wanted.id.arm)):
                with stand.reported(load.wanted, watcher, made):
                    load.slice(block)
                    continue
                loads.remove(load)
        for load in loads:
            with stand.reported(load.wanted, watcher, made):
                made.append(_TrialOutcome(load.wanted, load.end()))
    for each in group:
        stand.settle(each)
    return stand.judged(made)


class _RoundServices:
    """What a round needs beside its trials: the driver and the services. Each is restarted if it has ended."""

    def __init__(self, experiment: Experiment, setup: LocalSetup, scratch: Path, backend: LocalService) -> None:
        self.experiment = experiment
        self.setup = setup
        self._scratch = scratch
        self._backend = backend
        self._stack = ExitStack()
        self._processes: dict[str, Process] = {}
        self._services: dict[str, LocalService] = {}
        self._failed: dict[str, LocalError] = {}
        self._driver: SliceDriver | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Asks all to end before it waits for the first."""
        for process in self._processes.values():
            process.ask_to_end()
        self._stack.close()

    def start(self, wanted: Mapping[str, TrialSpec]) -> None:
        """Starts a service for each name, that of its trial, side by side, and waits for all.

        So none still starts, and takes CPU, while another is measured. An error is raised when that service is used.
        """
        for name, each in wanted.items():
            with self._remembered(name):
                self._begin(each)
        if any(self.experiment.client_of(each.arm) == "driver" for each in wanted.values()):
            # At the same time, on other processors, the driver imports all that it needs.
            with suppress(LocalError):
                unreachable = ("--address=127.0.0.1:1", "--connections=1", "--streams=1")
                plan = self._plan(next(iter(wanted.values())))
                self.driver().check([*unreachable, f"--plan={plan}", *trace_file(self.setup, "driver")])
        for name in [each for each in wanted if each not in self._failed]:
            with self._remembered(name):
                self._await(name, at_once=len(wanted))

    @contextmanager
    def _remembered(self, name: str) -> Iterator[None]:
        try:
            yield
        except LocalError as error:
            self._failed[name] = error

    def _begin(self, wanted: TrialSpec) -> None:
        options: list[tuple[str, str | float]]
        if wanted.arm.server is not None:
            options = [("reply_bytes", len(encode(self.experiment.calls_of(wanted.arm)).frame))]
        else:
            options = [("backend", self._backend.address), *self.experiment.options(wanted.id.arm).items()]
        process = self._stack.enter_context(starting_arm(self.setup, wanted.arm, options))
        self._processes[wanted.id.service] = process

    def _await(self, name: str, at_once: int = 1) -> None:
        self._services[name] = listening(self._processes[name], at_once * local.START_TIMEOUT_S)

    def driver(self) -> SliceDriver:
        """Raises LocalError."""
        if self._driver is None or self._driver.ended:
            self._driver = self._stack.enter_context(slice_driver(self.setup.programs))
        return self._driver

    def service(self, wanted: TrialSpec) -> LocalService:
        """The arm's. Raises LocalError."""
        name = wanted.id.service
        if error := self._failed.pop(name, None):
            raise error
        if name not in self._services or self._services[name].process.has_ended():
            self._begin(wanted)
            self._await(name)
        return self._services[name]

    def settle(self, wanted: TrialSpec) -> None:
        """Returns when the arm's service is idle: what is left of its last load would take CPU from the next arm.

        A service that is still busy after SETTLE_S is killed, and restarted when it is loaded again.
        """
        service = self._services.get(wanted.id.service)
        if service is None or service.process.has_ended():
            return
        if not becomes_idle(service.process.pid, SETTLE_S):
            service.process.kill()
            del self._services[wanted.id.service], self._processes[wanted.id.service]

    @contextmanager
    def loading(self, wanted: TrialSpec) -> Iterator[LoadSession]:
        """The arm's connections, open for as long as the block lasts. Raises LocalError."""
        service = self.service(wanted)
        capacity_rps = self._capacity_rps(wanted, service) if wanted.point.rate_of_capacity is not None else None
        with (
            self._open(wanted, service, capacity_rps) as opened,
            loading(
                self.experiment.at(wanted.point),
                wanted,
                [service],
                load=opened,
                others=others_of(self.setup, [service], wanted.arm.cpus),
                capacity_rps=capacity_rps,
            ) as load,
        ):
            yield load

    def _open(
        self, wanted: TrialSpec, service: LocalService, capacity_rps: float | None
    ) -> AbstractContextManager[OpenLoad]:
        """The load of the arm's client. Raises LocalError."""
        experiment = self.experiment.at(wanted.point)
        client = experiment.client_of(wanted.arm)
        if client == "driver":
            flags = self._flags(wanted, service, wanted.point.at_capacity(capacity_rps))
            return driver_load(self.driver(), experiment, wanted, flags)
        return nullcontext(
            ProgramLoad(
                program=PROGRAMS[client],
                experiment=experiment,
                arm=wanted.arm,
                point=wanted.point,
                address=service.address,
                cpus=self.setup.pinning.others if self.setup.pinning else (),
                scratch=self._scratch,
            )
        )

    def _capacity_rps(self, wanted: TrialSpec, service: LocalService) -> float:
        """Measures how many calls/s the arm answers in a closed loop. Raises LocalError if it answers none."""
        driver, experiment, name = self.driver(), self.experiment.at(wanted.point), f"capacity of {wanted.id}"
        driver.open(name, self._flags(wanted, service, wanted.point.closed))
        try:
            answered: int = slice_of(driver, experiment, name, 0)["answered"]
        finally:
            driver.drop(name)
        if not answered:
            raise LocalError("it answered no call in a closed loop, so its capacity is unknown")
        return answered / experiment.duration_s

    def _flags(self, wanted: TrialSpec, service: LocalService, point: Point) -> list[str]:
        plan = self._plan(wanted)
        return [*load_flags(self.experiment, point), *trial_flags(self.setup, wanted, [service], plan)]

    def _plan(self, wanted: TrialSpec) -> Path:
        path = self._scratch / f"{wanted.id.service}.yaml"
        path.write_text(yaml.safe_dump(self.experiment.calls_of(wanted.arm)), encoding="utf-8")
        return path

    def judged(self, made: Sequence[_TrialOutcome], known: Sequence[Trial] = ()) -> list[_TrialOutcome]:
        """The trials, judged beside each other and beside those that are `known`."""
        trials = [one.trial for one in made if one.trial is not None]
        flags = {
            "despite_noise": self.setup.despite_noise,
            "compares_clients": self.experiment.compares_clients,
        }
        found = {one.trial.id: one for one in judged([*trials, *known], **flags)}
        return [
            one if one.trial is None else replace(one, trial=found[one.wanted.id].trial, why=found[one.wanted.id].why)
            for one in made
        ]

    def stored_beside(self, made: Collection[TrialId]) -> list[Trial]:
        """Other trials of their point and round, which an earlier run has made. Raises BadResultsError."""
        at = next(iter(made), None)
        ids = [] if at is None else [replace(at, arm=arm, again=False) for arm in self.experiment.arms]
        return read_existing(self.setup.folder, [each for each in ids if each not in made])

    def store(self, one: _TrialOutcome, watcher: TrialWatcher) -> None:
        """Stores the trial, or why it is void. Raises BadResultsError."""
        if one.trial is None or one.why:
            write_void(self.setup.folder, one.wanted.id, one.why)
            watcher.void(one.wanted, one.why)
        else:
            write_trial(self.setup.folder, one.trial)
            watcher.ended(one.trial)

    def _store_failed(self, wanted: TrialSpec, why: str, process: Process | None) -> None:
        """With the last output of that process."""
        write_failed(self.setup.folder, wanted.id, why, process.last_output() if process is not None else ())

    @contextmanager
    def reported(self, wanted: TrialSpec, watcher: TrialWatcher, made: list[_TrialOutcome]) -> Iterator[None]:
        """Reports an error within the block as a failure of that trial.

        If the machine is its cause, the trial is not reported, but added to `made` as void. Raises LocalError if the
        backend has ended.
        """
        try:
            yield
        except LocalError as error:
            if self._backend.process.has_ended():
                self._store_failed(wanted, str(error), self._backend.process)
                raise
            process = self._processes.get(wanted.id.service)
            if process is not None and process.has_ended(local.DYING_S):
                watcher.failed(wanted, why := process.last_words())
                self._store_failed(wanted, why, process)
            elif isinstance(error, BusyMachineError | DriverLostError | AddressRefusedError):
                made.append(_TrialOutcome(wanted, None, str(error)))
            else:
                watcher.failed(wanted, str(error))
                self._store_failed(wanted, str(error), process)
        else:
            if self._backend.process.has_ended():
                raise LocalError("the backend exited")
