"""Deploys cells in a cluster: replicas are pods, each trial is a load Job (tools/cluster).

A cell's model is scaled down to nothing and up again with the cell's limit. So each pod starts under that limit, and
none waits for room beside an old one. Requests are set to the limits. The Deployment is restored at the end, also after
an error. An annotation stores what it was (tools/cluster/search_note.py), in case the machine that searches fails. Helm
stays the owner of every field and can change it at any time (tools/cluster/ownership.py). A cell that has ended is
stored in the cluster, with its trials. The trials store nothing of their own.
"""

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tools.cluster import ownership, store
from tools.cluster.api import ClusterError, Object
from tools.cluster.job import job_name
from tools.cluster.room import amount
from tools.cluster.search_note import BEFORE, DeploymentNote, noted, ways_back
from tools.cluster.store import VoidTrialError
from tools.cluster.trial import ClusterSetup, await_pods, measure
from tools.experiment import Experiment
from tools.results import Trial
from tools.scale.cells import Cell, OmittedCell, SearchedCell
from tools.scale.results import to_json
from tools.scale.run import FailedError, MakeTrial
from tools.trial_specs import only
from tools.units import count


@dataclass(frozen=True, slots=True)
class ClusterDeployer:
    """Deploys cells of one release of the chart (see above)."""

    setup: ClusterSetup
    """Its pods are not restarted for each trial: those of the cell are loaded."""
    node_cpus: tuple[float, ...]
    """The CPUs of each node that pods may have; empty if this user may not read nodes."""

    @property
    def limit(self) -> str:
        return "limit of the pod"

    def why_not(self, cell: Cell) -> str:
        if self.node_cpus and cell.cpus > max(self.node_cpus):
            return f"needs a node with {count(cell.cpus)} CPUs, but the largest node has {count(max(self.node_cpus))}"
        drivers = self.setup.load.shards * amount(self.setup.load.cpu)
        if self.node_cpus and cell.total_cpus + drivers > sum(self.node_cpus):
            return (
                f"needs {count(cell.total_cpus)} CPUs, and {count(drivers)} for the driver, of {_all(self.node_cpus)}"
            )
        return ""

    @contextmanager
    def deployed(self, cell: Cell, options: dict[str, str | float]) -> Iterator[MakeTrial]:
        release = self.setup.release
        try:
            there = release.api.get("deployments", release.deployment(cell.model)["metadata"]["name"])
            replicas, containers = before_search(there)
            during_search = [limited(containers[0], cell.cpus, options), *containers[1:]]
            note = DeploymentNote(self.setup.load.run, replicas, containers, during_search).to_json()
            try:
                self._scale(cell.model, 0, during_search, note)
                self._scale(cell.model, cell.replicas, during_search, note)
                yield lambda asked: self._load(asked, cell)
            finally:
                # The former pods may need the room of these. The Deployment is restored in any case.
                with suppress(ClusterError):
                    self._scale(cell.model, 0, during_search, note)
                self._put_back(cell.model, replicas, containers)
            await_pods(self.setup, cell.model, replicas)
        except (ClusterError, VoidTrialError) as error:
            raise FailedError(str(error)) from error

    def store(self, outcome: SearchedCell | OmittedCell) -> None:
        load, key = self.setup.load, outcome.cell.key
        try:
            store.save_cell(self.setup.release.api, load.release, load.run, key, to_json(outcome, key))
        except ClusterError as error:
            raise FailedError(f"kept here, but not in the cluster: {error}") from error

    def _scale(self, model: str, replicas: int, containers: list[Object], note: str) -> None:
        self._change(model, replicas, containers, note)
        await_pods(self.setup, model, replicas)

    def _put_back(self, model: str, replicas: int, containers: list[Object]) -> None:
        try:
            self._change(model, replicas, containers, None)
        except ClusterError as error:
            name = self.setup.release.deployment(model)["metadata"]["name"]
            then = ways_back(self.setup.load.run, self.setup.release)
            raise ClusterError(f"deployment {name} could not be put back: {error}; next: {then}") from None

    def _change(self, model: str, replicas: int, containers: list[Object], note: str | None) -> None:
        release = self.setup.release
        fields = {
            "metadata": {"annotations": {BEFORE: note}},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}},
        }
        ownership.change(release.api, "deployments", release.deployment(model)["metadata"]["name"], fields)

    def _load(self, asked: Experiment, cell: Cell) -> Trial:
        run = store.try_name(self.setup.load.run)
        setup = dataclasses.replace(self.setup, load=dataclasses.replace(self.setup.load, run=run))
        asked = asked.of([cell.model])
        wanted = only(asked)
        api = setup.release.api
        await_pods(setup, cell.model, cell.replicas)
        try:
            trial = measure(setup, asked, wanted)
        finally:
            api.delete("jobs", job_name(run, wanted.id))
            store.delete_parts(api, run, wanted.id)
        if why := changed(trial, cell.replicas):
            raise VoidTrialError(why)
        return trial


def changed(trial: Trial, replicas: int) -> str:
    """Why the trial did not load that many pods from its begin to its end; empty if it did."""
    if moved := [pod["name"] for pod in trial.pods if pod["went"] or pod["ready_ns"] is not None]:
        return (
            f"{', '.join(moved)} started or ended during the load: the trial needs the same "
            f"{count(replicas)} pods throughout"
        )
    if len(trial.pods) != replicas:
        return f"{count(len(trial.pods))} pods were loaded, not {count(replicas)}"
    return ""


def before_search(deployment: Object) -> tuple[int, list[Object]]:
    """Its replicas and its containers before a search changed them, also if that search was interrupted."""
    if note := noted(deployment):
        return note.replicas, note.containers
    spec = deployment["spec"]
    return spec.get("replicas", 1), spec["template"]["spec"]["containers"]


def limited(container: Object, cpus: float, options: Mapping[str, str | float]) -> Object:
    """The container with that CPU limit and those options, all else as it is; written as the API server writes it."""
    changed = copy.deepcopy(container)
    for kind in ("requests", "limits"):
        changed.setdefault("resources", {}).setdefault(kind, {})["cpu"] = _quantity(cpus)
    if options:
        variables = {f"SWEETSPOT_{option.upper()}": str(value) for option, value in options.items()}
        unchanged = [each for each in changed.get("env", ()) if each["name"] not in variables]
        changed["env"] = [*unchanged, *({"name": name, "value": value} for name, value in variables.items())]
    return changed


def _quantity(cpus: float) -> str:
    """The reverse of `amount`, in the form that the API server returns: `1`, and `500m` rather than `0.5`."""
    millis = round(cpus * 1000)
    return f"{millis}m" if millis % 1000 else str(millis // 1000)


def cluster_deployer(setup: ClusterSetup) -> ClusterDeployer:
    """Deploys cells of that release. Raises ClusterError."""
    nodes = setup.release.api.nodes()
    cpus = tuple(amount(node["status"]["allocatable"]["cpu"]) for node in nodes)
    return ClusterDeployer(dataclasses.replace(setup, starts=None), cpus)


def _all(node_cpus: tuple[float, ...]) -> str:
    return f"the {count(sum(node_cpus))} of {len(node_cpus)} node{'' if len(node_cpus) == 1 else 's'}"
