"""Runs an experiment in the cluster: trial after trial, each stored there before it is fetched.

The process that starts a run may end at any time. Trials that have ended are in ConfigMaps, and the Job that runs
continues. `sweetspot results pull` and `--resume` find both. Must not know what is shown on a terminal or in a report.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from tools import environment, experiment
from tools.checks import judged, judged_by_block
from tools.cluster import store, waterfalls
from tools.cluster.api import Api, ClusterError
from tools.cluster.job import LoadSettings, job_name
from tools.cluster.preconditions import check, in_one_slice
from tools.cluster.release import Release
from tools.cluster.room import Room, amount, lacking, left_on
from tools.cluster.store import VoidTrialError
from tools.cluster.trial import ASK_FOR_LESS, ClusterSetup, Starts, measure
from tools.experiment import Experiment
from tools.local import Programs
from tools.results import (
    BadResultsError,
    Trial,
    TrialId,
    read_existing,
    write_failed,
    write_trial,
    write_void,
    write_whole,
)
from tools.run import TrialWatcher
from tools.scale.cells import Cell
from tools.scale.cluster import cluster_deployer
from tools.scale.results import FOLDER as CELLS
from tools.scale.results import from_json as cell_from_json
from tools.scale.results import read_cells, write_cell
from tools.scale.results import to_json as cell_to_json
from tools.scale.run import Deployer
from tools.trial_specs import TrialSpec


@dataclass(frozen=True)
class Cluster:
    """A cluster as a target. The part of it that environment.json stores is enough to continue the run."""

    release: Release
    run: str
    programs: Programs
    shards: int = 1
    balance: str = "cluster-ip"
    driver_cpu: str = "500m"
    driver_memory: str = "512Mi"
    keep_pods: bool = False
    despite_noise: bool = False
    """No trial is void for what tools/checks.py finds."""
    exactly: bool = False
    """What an arm does not ask for must be at its default (tools/cluster/preconditions.py)."""

    @classmethod
    def resumed(cls, described: dict[str, Any], programs: Programs, *, despite_noise: bool = False) -> "Cluster":
        """The cluster that `describe` has described. Raises ClusterError."""
        settings = dict(described)
        release = Release(Api.connect(settings.pop("namespace")), settings.pop("release"))
        return cls(release, programs=programs, despite_noise=despite_noise, **settings)

    @property
    def alternates(self) -> bool:
        """False: a Job loads only one arm."""
        return False

    def of_run(self, stem: str, when: str) -> "Cluster":
        """The same for another run."""
        return dataclasses.replace(self, run=run_name(stem, when))

    def models(self) -> Collection[str]:
        """The deployed models. Raises ClusterError."""
        return list(self.release.models)

    def check(self, asked: Experiment) -> None:
        """Raises ClusterError, which names what the experiment asks for and the release does not have."""
        check(self.release, asked, exactly=self.exactly)

    def describe(self) -> dict[str, Any]:
        """What a reader needs to question a number, or to measure it again. Raises ClusterError."""
        nodes = sorted(self.release.api.nodes(), key=lambda node: str(node["metadata"]["name"]))
        images = {model: self.release.container(model)["image"] for model in sorted(self.release.models)}
        return {
            **environment.describe_code(),
            "kubernetes": self.release.api.version(),
            "kernel": ", ".join(dict.fromkeys(node["status"]["nodeInfo"]["kernelVersion"] for node in nodes)),
            "cpus": {node["metadata"]["name"]: node["status"]["capacity"]["cpu"] for node in nodes},
            "images": {**images, "driver": self.release.driver_pod["spec"]["containers"][0]["image"]},
            "resources": {model: self.release.container(model).get("resources", {}) for model in sorted(images)},
            "options": {model: self.release.options(model) for model in sorted(images)},
            "replicas": {model: self.release.deployment(model)["spec"].get("replicas") for model in sorted(images)},
            "jaeger": self.release.jaeger(),
            "cluster": {
                "namespace": self.release.api.namespace,
                "release": self.release.name,
                "run": self.run,
                "shards": self.shards,
                "balance": self.balance,
                "driver_cpu": self.driver_cpu,
                "driver_memory": self.driver_memory,
                "keep_pods": self.keep_pods,
            },
        }

    @cached_property
    def setup(self) -> ClusterSetup:
        """Raises ClusterError."""
        variables = self.release.variables(next(iter(self.release.models)))
        load = LoadSettings(
            release=self.release.name,
            first=self.release.first,
            run=self.run,
            pod=self.release.driver_pod,
            shards=self.shards,
            balance=self.balance,
            cpu=self.driver_cpu,
            memory=self.driver_memory,
            otlp_endpoint=variables.get("OTEL_EXPORTER_OTLP_ENDPOINT"),
        )
        starts = None if self.keep_pods else Starts()
        return ClusterSetup(release=self.release, load=load, programs=self.programs, starts=starts)

    def begin_run(self, folder: Path) -> None:
        """Stores in the cluster what was asked for: another machine can then make the folder. Raises ClusterError."""
        files = {name: (folder / name).read_text(encoding="utf-8") for name in ("experiment.yaml", "environment.json")}
        try:
            store.save_run(self.release.api, self.run, self.release.name, files)
        except ClusterError as error:
            raise ClusterError(f"{error}; {folder} remains, without a trial") from None

    def resume_grid(self, folder: Path) -> None:
        """Copies cells of a grid until folder and cluster have the same. Raises ClusterError, BadResultsError."""
        api, release = self.release.api, self.release.name
        store.delete_tries(api, self.run, release)
        here = read_cells(folder).outcomes
        there, _ = pull_cells(api, self.run, folder)
        for cell in here.keys() - there:
            store.save_cell(api, release, self.run, cell.key, cell_to_json(here[cell], cell.key))

    def deployer(self, _folder: Path, notify: Callable[[str], None]) -> AbstractContextManager[Deployer]:
        """Deploys the cells of a grid. `notify` gets a line for what a cell waits for. Raises ClusterError."""
        return nullcontext(cluster_deployer(dataclasses.replace(self.setup, notify=notify)))

    def measure_all(self, asked: Experiment, wanted: Sequence[TrialSpec], folder: Path, watcher: TrialWatcher) -> None:
        """Runs those trials. One that fails or is void is reported to the watcher, and the next one runs.

        If the cluster no longer exists, each of them fails. Raises BadResultsError if a trial cannot be stored.
        """
        asked = in_one_slice(asked)
        lack = self._lacking_room(asked)
        for _, group in groupby(wanted, lambda each: (each.id.point, each.id.round)):
            at_point = list(group)
            for each in at_point:
                watcher.begins(each)
                if lack:
                    watcher.waits(each, f"continuing with a warning: {lack}; {ASK_FOR_LESS}")
                    lack = ""
                self._measure_or_fail(asked, each, folder, watcher)
            for each, why in self._apart(folder, at_point):
                watcher.repeats(each, why)
                self._measure_or_fail(asked, each, folder, watcher, attempts=(True,))
            for each, why in self._apart(folder, at_point):
                write_void(folder, each.id, why)
                watcher.void(each, why)

    def _apart(self, folder: Path, at_point: Sequence[TrialSpec]) -> list[tuple[TrialSpec, str]]:
        """Those that are void beside each other, of one point and round, and why. Raises BadResultsError."""
        found = judged(read_existing(folder, [each.id for each in at_point]), despite_noise=self.despite_noise)
        whys = {one.trial.id: one.why for one in found}
        return [(each, why) for each in at_point if (why := whys.get(each.id, ""))]

    def _measure_or_fail(
        self,
        asked: Experiment,
        wanted: TrialSpec,
        folder: Path,
        watcher: TrialWatcher,
        attempts: Sequence[bool] = (False, True),
    ) -> None:
        """Makes and stores one trial, or stores why it failed. `attempts`: of each, whether it replaces a trial."""
        try:
            self._measure(asked, wanted, folder, watcher, attempts)
        except ClusterError as error:
            watcher.failed(wanted, str(error))
            write_failed(folder, wanted.id, str(error))
        except KeyboardInterrupt:
            job = job_name(self.run, wanted.id)
            watcher.failed(wanted, f"job {job} in namespace {self.release.api.namespace} was not deleted")
            raise

    def _measure(
        self, asked: Experiment, wanted: TrialSpec, folder: Path, watcher: TrialWatcher, attempts: Sequence[bool]
    ) -> None:
        """Makes and stores one trial. A void one is repeated while there are attempts left. Raises ClusterError."""
        setup = self._notifying(watcher, wanted)
        why = ""
        for number, again in enumerate(attempts, start=1):
            try:
                trial = measure(setup, asked, wanted, again=again)
                (one,) = judged([trial], despite_noise=self.despite_noise)
                trial, why = one.trial, one.why
            except VoidTrialError as error:
                why = str(error)
            if not why:
                write_trial(folder, trial)
                waterfalls.save(self.release, trial, folder)
                watcher.ended(trial)
                return
            write_void(folder, wanted.id, why)
            if number < len(attempts):
                watcher.waits(wanted, f"is void: {why}; repeating it once")
        watcher.void(wanted, why)

    def _lacking_room(self, asked: Experiment) -> str:
        """A warning that nodes may have no room for the drivers; empty if they have room, or if that is not known."""
        nodes, pods = self.release.api.nodes(), self.release.api.pods_everywhere()
        if not (nodes and pods):
            return ""
        driver = Room(amount(self.driver_cpu), amount(self.driver_memory))
        left = left_on(nodes, pods, self.release.driver_pod["spec"].get("tolerations", ()))
        return lacking(left, [driver] * min(self.shards, max(asked.load.connections)))

    def _notifying(self, watcher: TrialWatcher, wanted: TrialSpec) -> ClusterSetup:
        """The setup, with waits reported to the watcher."""
        return dataclasses.replace(self.setup, notify=lambda why: watcher.waits(wanted, why))


def run_name(stem: str, when: str) -> str:
    """A name for a run that objects can have (RFC 1123): small letters, digits and dashes."""
    return f"{re.sub('[^a-z0-9-]+', '-', stem.lower()).strip('-')[:30]}-{when.lower()}"


@dataclass(frozen=True, slots=True)
class PullableRun:
    """A run that the cluster stores."""

    run: str
    files: Mapping[str, str]
    """Those of a results folder, without the trials."""
    parts: Mapping[TrialId, Sequence[store.PartJson]]


def pullable_run(api: Api, run: str) -> PullableRun:
    """Raises ClusterError where there is no such run."""
    parts = store.parts(api, run)
    try:
        return PullableRun(run, store.stored_run(api, run).files, parts)
    except ClusterError:
        if not parts:
            raise
        # A Job that was applied by hand: nothing else of its run exists.
        asked = next((part["experiment"] for those in parts.values() for part in those if "experiment" in part), "")
        return PullableRun(run, {"experiment.yaml": asked, "environment.json": "{}\n"}, parts)


@dataclass(frozen=True, slots=True)
class PullProblems:
    """The trials or cells of a run that are no result: a line for each."""

    void: Sequence[str] = ()
    unreadable: Sequence[str] = ()


def pull(
    api: Api, found: PullableRun, folder: Path, programs: Programs, release: str, *, despite_noise: bool = False
) -> PullProblems:
    """Makes the results folder of a run from what is in the cluster.

    If the run does not name its release, the Jaeger of `release` is used. `despite_noise`: no trial is void for what
    tools/checks.py finds. Raises ClusterError, BadResultsError.
    """
    files = found.files
    for name, text in files.items():
        write_whole(folder / name, text)
    is_grid = experiment.parse(files.get("experiment.yaml", ""), found.run).scale is not None
    for name in (CELLS if is_grid else "trials", "traces"):
        (folder / name).mkdir(exist_ok=True)
    if is_grid:
        return PullProblems(unreadable=pull_cells(api, found.run, folder)[1])
    described = json.loads(files.get("environment.json", "{}")).get("cluster", {})
    its_release = Release(api, described.get("release", release))
    voids: dict[TrialId, str] = {}
    trials: list[Trial] = []
    for wanted, parts in sorted(found.parts.items()):
        try:
            trials.append(store.assemble(parts, programs))
        except VoidTrialError as error:
            voids[wanted] = str(error)
    for one in judged_by_block(trials, despite_noise=despite_noise):
        if one.why:
            voids[one.trial.id] = one.why
        else:
            write_trial(folder, one.trial)
            waterfalls.save(its_release, one.trial, folder)
    for wanted, why in voids.items():
        write_void(folder, wanted, why)
    return PullProblems(void=[f"{wanted}: {why}" for wanted, why in sorted(voids.items())])


def pull_cells(api: Api, run: str, folder: Path) -> tuple[set[Cell], list[str]]:
    """Writes the cells of a grid that the cluster stores into its folder.

    Returns these cells, and a line for each that cannot be read. Raises ClusterError, BadResultsError.
    """
    pulled: set[Cell] = set()
    contents, problems = store.cells(api, run)
    for name, content in contents.items():
        try:
            outcome = cell_from_json(content, f"ConfigMap {name}")
        except BadResultsError as error:
            problems.append(str(error))
            continue
        write_cell(folder, outcome)
        pulled.add(outcome.cell)
    return pulled, problems
