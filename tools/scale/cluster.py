"""The ground of a cluster: replicas are pods, each trial is a load Job (tools/cluster).

A cell's model is scaled down to nothing and up again with the cell's limit, so that each pod starts under it and none
waits for room beside an old one. Requests are set to the limits. What the Deployment was is put back at the end,
whatever happens. Its trials are kept with the cell by whoever runs the search, not in the cluster.
"""

import copy
import dataclasses
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tools.cluster import store
from tools.cluster.api import ClusterError, Object
from tools.cluster.job import job_name
from tools.cluster.store import VoidTrialError
from tools.cluster.trial import Place, await_pods, measure
from tools.experiment import Experiment
from tools.results import Trial
from tools.scale.cells import Cell
from tools.scale.run import FailedError, Load
from tools.units import count


@dataclass(frozen=True, slots=True)
class ClusterGround:
    """A release of the chart (see above)."""

    place: Place
    """Its pods are not started anew for each trial: the cell's own are loaded."""
    node_cpus: tuple[float, ...]
    """What pods may have of each node; empty where nodes are not this user's to see."""

    @property
    def limit(self) -> str:
        return "limit of the pod"

    def why_not(self, cell: Cell) -> str:
        if self.node_cpus and cell.cpus > max(self.node_cpus):
            return f"needs a node with {count(cell.cpus)} CPUs, and the largest has {count(max(self.node_cpus))}"
        drivers = self.place.load.shards * cpus_of(self.place.load.cpu)
        if self.node_cpus and cell.total_cpus + drivers > sum(self.node_cpus):
            return (
                f"needs {count(cell.total_cpus)} CPUs, and {count(drivers)} for the driver, of {_all(self.node_cpus)}"
            )
        return ""

    @contextmanager
    def deployed(self, cell: Cell, options: dict[str, str | float]) -> Iterator[Load]:
        release = self.place.release
        try:
            before = release.api.get("deployments", release.deployment(cell.model)["metadata"]["name"])
            name, (container, *others) = before["metadata"]["name"], before["spec"]["template"]["spec"]["containers"]
            try:
                self._scale(cell.model, name, 0, [container, *others])
                self._scale(cell.model, name, cell.replicas, [limited(container, cell.cpus, options), *others])
                yield lambda asked: self._load(asked, cell)
            finally:
                self._scale(cell.model, name, 0, [container, *others])
                self._scale(cell.model, name, before["spec"].get("replicas", 1), [container, *others])
        except (ClusterError, VoidTrialError) as error:
            raise FailedError(str(error)) from error

    def _scale(self, model: str, name: str, replicas: int, containers: list[Object]) -> None:
        spec = {"replicas": replicas, "template": {"spec": {"containers": containers}}}
        self.place.release.api.merge("deployments", name, {"spec": spec})
        await_pods(self.place.release, model, replicas)

    def _load(self, asked: Experiment, cell: Cell) -> Trial:
        # A name of its own: a Job that has ended is else taken for this one's.
        run = f"{self.place.load.run}-{uuid.uuid4().hex[:8]}"
        place = dataclasses.replace(self.place, load=dataclasses.replace(self.place.load, run=run))
        (connections,) = asked.connections
        api = place.release.api
        try:
            # Options were set with the limit: what the chart deployed does not have them.
            return measure(place, dataclasses.replace(asked, service_options={}), cell.model, connections)
        finally:
            api.delete("jobs", job_name(run, cell.model, connections))
            store.forget(api, run, cell.model, connections)


def limited(container: Object, cpus: float, options: Mapping[str, str | float]) -> Object:
    """The container with that CPU limit and those options, all else as it is."""
    changed = copy.deepcopy(container)
    for kind in ("requests", "limits"):
        changed.setdefault("resources", {}).setdefault(kind, {})["cpu"] = f"{round(cpus * 1000)}m"
    variables = {f"SWEETSPOT_{option.upper()}": str(value) for option, value in options.items()}
    kept = [each for each in changed.get("env", ()) if each["name"] not in variables]
    changed["env"] = [*kept, *({"name": name, "value": value} for name, value in variables.items())]
    return changed


def cpus_of(quantity: str) -> float:
    """Kubernetes' notation of CPUs: `500m` is 0.5."""
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def cluster_ground(place: Place) -> ClusterGround:
    """That release. Raises ClusterError."""
    nodes = place.release.api.nodes()
    cpus = tuple(cpus_of(node["status"]["allocatable"]["cpu"]) for node in nodes)
    return ClusterGround(dataclasses.replace(place, keep_pods=True), cpus)


def _all(node_cpus: tuple[float, ...]) -> str:
    return f"the {count(sum(node_cpus))} of {len(node_cpus)} node{'' if len(node_cpus) == 1 else 's'}"
