"""Deploys cells on this machine: replicas are processes, the driver deals its connections to them in turn.

In a local cell, a limit is a control group's quota, as the kubelet sets one. All replicas share the processors that the
driver and the backend do not have, so cells with more CPUs than those are left out. There is no network between them,
and no Service that balances. If no control group can be made, a limit of whole CPUs gives each replica processors of
its own. Cells with another limit are then left out.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools import local
from tools.cgroup import ControlGroups, NoLimitsError
from tools.experiment import Experiment
from tools.local import LocalError, Pinning, Process
from tools.processors import becomes_idle
from tools.results import Trial
from tools.scale.cells import Cell, OmittedCell, SearchedCell
from tools.scale.run import FailedError, MakeTrial
from tools.scratch import scratch_folder
from tools.serving import LocalService, LocalSetup, blamed, listening, serving_backend, starting
from tools.slices import SliceDriver, slice_driver
from tools.trial import driver_load, load_flags, loading, others_of, trial_flags
from tools.trial_specs import only
from tools.units import count

SETTLE_S = 5.0
"""The most time for replicas to end what a trial has left; then the next trial begins nevertheless."""


def pinning_over(cpus: Collection[int]) -> Pinning | None:
    """Most processors for the replicas, a quarter for the driver and the backend; None if there is only one."""
    each = sorted(cpus)
    others = max(1, len(each) // 4)
    return Pinning(each[:-others], each[-others:]) if len(each) > others else None


@dataclass(frozen=True, slots=True)
class LocalDeployer:
    """Deploys cells on this machine (see above)."""

    setup: LocalSetup
    backend: LocalService
    groups: ControlGroups | None
    no_groups: str
    """Why there are none; empty if there are."""
    scratch: Path

    @property
    def limit(self) -> str:
        return "control group" if self.groups else "processors of its own"

    def why_not(self, cell: Cell) -> str:
        cpus = len(_service_cpus(self.setup))
        if cell.total_cpus > cpus:
            return f"needs {count(cell.total_cpus)} CPUs, but beside the driver there {_are(cpus)}"
        if self.groups is None and not cell.cpus.is_integer():
            return f"a limit of {count(cell.cpus)} CPUs needs a control group: {self.no_groups}"
        return ""

    def store(self, outcome: SearchedCell | OmittedCell) -> None:
        """Does nothing: the folder has all of it."""

    @contextmanager
    def deployed(self, cell: Cell, options: dict[str, str | float]) -> Iterator[MakeTrial]:
        try:
            with ExitStack() as stack:
                replicas = [
                    stack.enter_context(self._replica(cell, number, options)) for number in range(cell.replicas)
                ]
                stack.enter_context(blamed(replicas))
                services = [listening(replica, len(replicas) * local.START_TIMEOUT_S) for replica in replicas]
                driver = stack.enter_context(slice_driver(self.setup.programs))

                def load(asked: Experiment) -> Trial:
                    return self._load(asked, cell, services, driver)

                yield load
        except (LocalError, OSError) as error:
            raise FailedError(str(error)) from error

    @contextmanager
    def _replica(self, cell: Cell, number: int, options: dict[str, str | float]) -> Iterator[Process]:
        cpus = _service_cpus(self.setup)
        confine: Callable[[int], None] | None = None
        with ExitStack() as stack:
            if self.groups is not None:
                confine = stack.enter_context(self.groups.limited(cell.cpus, str(number))).take
            else:
                width = int(cell.cpus)
                cpus = cpus[number * width : (number + 1) * width]
            given = {"backend": self.backend.address, **options}.items()
            yield stack.enter_context(starting(self.setup, cell.model, given, cpus=cpus, confine=confine))

    def _load(self, asked: Experiment, cell: Cell, services: list[LocalService], driver: SliceDriver) -> Trial:
        asked = asked.of([cell.model])
        plan = self.scratch / "plan.yaml"
        plan.write_text(yaml.safe_dump(asked.calls), encoding="utf-8")
        others = others_of(self.setup, services, limit_cpus=cell.total_cpus)
        wanted = only(asked)
        flags = [*load_flags(asked, wanted.point), *trial_flags(self.setup, wanted, services, plan)]
        with (
            driver_load(driver, asked, wanted, flags) as opened,
            loading(asked, wanted, services, load=opened, others=others) as load,
        ):
            load.slice()
            trial = load.end()
        if self.backend.process.has_ended():
            raise LocalError("the backend exited")
        for service in services:
            # 2,000 threads that end would take the CPU from the next trial, so that no connection opens in time.
            becomes_idle(service.process.pid, SETTLE_S)
        return trial


def _service_cpus(setup: LocalSetup) -> list[int]:
    return sorted(setup.pinning.service if setup.pinning else os.sched_getaffinity(0))


def _are(cpus: int) -> str:
    return "is 1" if cpus == 1 else f"are {cpus}"


@contextmanager
def local_deployer(setup: LocalSetup) -> Iterator[LocalDeployer]:
    """This machine with a backend, for as long as the block lasts. Raises LocalError."""
    groups, no_groups = None, ""
    try:
        groups = ControlGroups.detect()
    except NoLimitsError as error:
        no_groups = str(error)
    with (
        scratch_folder() as scratch,
        local.running_on(setup.pinning.others if setup.pinning else ()),
        serving_backend(setup) as backend,
    ):
        yield LocalDeployer(setup, backend, groups, no_groups, scratch)
