"""How a pod fares, in words: why it does not run, or how it ended. Must not know what it is for."""

from dataclasses import dataclass

from tools.cluster.api import Object
from tools.cluster.release import deploy_command

# Waiting will not help: what these wait for does not come by itself.
_HOPELESS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CrashLoopBackOff",
    "RunContainerError",
}
_IMAGE = {"ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName"}

_TAKING_NOTE_S = 10.0
"""For a node that is busy to take note of a pod; that took 3 s with ten processes for each processor."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a pod; one line, with what to try."""

    what: str
    hopeless: bool
    """It is no use to wait."""
    passing_s: float = 2.0
    """Until it has lasted so long it may be on its way out: old pods that go make room."""


def ready(pod: Object) -> bool:
    """Takes calls, and is not about to go."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    return any(each["type"] == "Ready" and each["status"] == "True" for each in _conditions(pod))


def trouble(pod: Object) -> Trouble | None:
    """None for a pod that runs, has ended well, or is on its way, be it here or away."""
    if what := silence(pod):
        return Trouble(what, hopeless=False, passing_s=_TAKING_NOTE_S)
    if "deletionTimestamp" in pod["metadata"]:
        return None
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            why = str(condition.get("message", condition.get("reason", "")))
            what = f"{_name(pod)} is Pending: {why.rstrip('.')}; request less CPU or memory, or free some; {_look(pod)}"
            return Trouble(what, hopeless=False)
    found = (_of_container(pod, container) for container in pod["status"].get("containerStatuses", ()))
    return next((Trouble(what, hopeless=True) for what in found if what), None)


def deletion(pod: Object) -> str:
    """That the pod was deleted, and why where the cluster says so, as after an eviction.

    Source: kubernetes.io/docs/concepts/workloads/pods/disruptions, "Pod disruption conditions".
    """
    why = [
        f": {each.get('message', each['reason'])}" for each in _conditions(pod) if each["type"] == "DisruptionTarget"
    ]
    return f"{_name(pod)} on {node_of(pod)} was deleted while it ran{''.join(why)}"


def silence(pod: Object) -> str | None:
    """That nothing is heard of the pod's node; None where the cluster does not say so.

    After 50 s of silence it says of the node's pods that they are not ready, and leaves what the node had said of their
    containers as it was (pkg/controller/util/node of Kubernetes, MarkPodsNotReady). A pod that its node has not taken
    note of has no start time.
    """
    status = {each["type"]: each["status"] for each in _conditions(pod)}
    forgotten = status.get("Ready") == "False" and status.get("ContainersReady") == "True"
    node = node_of(pod)
    if forgotten or (node and pod["status"].get("startTime") is None):
        return f"{_name(pod)} on {node}: the node no longer reports its state; try: kubectl describe node {node}"
    return None


def node_of(pod: Object) -> str:
    """The node that it is on, or is meant for; empty before that is known."""
    node: str = pod["spec"].get("nodeName", "")
    return node


def _of_container(pod: Object, container: Object) -> str | None:
    waiting, ended = container["state"].get("waiting"), container["state"].get("terminated")
    if waiting and waiting.get("reason") in _IMAGE:
        labels, namespace = pod["metadata"].get("labels", {}), pod["metadata"]["namespace"]
        release = labels.get("app.kubernetes.io/instance", "NAME")
        again = f"{deploy_command(release, namespace)} with the values of: helm get values {release} -n {namespace}"
        return f"{_name(pod)}: image {container['image']} is not available ({waiting['reason']}); try: {again}"
    if waiting and waiting.get("reason") in _HOPELESS:
        before = how_it_ended(container.get("lastState", {}).get("terminated"))
        return f"{_name(pod)}: {waiting['reason']}: {before or waiting.get('message', '')}; {_look(pod)}"
    if ended and ended["exitCode"] != 0:
        return f"{_name(pod)} on {node_of(pod)} {how_it_ended(ended)}"
    return None


def _name(pod: Object) -> str:
    return f"pod {pod['metadata']['name']}"


def _look(pod: Object) -> str:
    return f"try: kubectl describe pod {pod['metadata']['name']} -n {pod['metadata']['namespace']}"


def how_it_ended(ended: Object | None) -> str | None:
    """Of a container's state `terminated`: that it was killed for its memory, or its status and its last words."""
    if ended is None:
        return None
    reason = ended.get("reason", "")
    if reason in {"OOMKilled", "Evicted"}:
        return f"was {reason}"
    said = str(ended.get("message", "")).strip().splitlines()
    how = f"ended by signal {ended['signal']}" if ended.get("signal") else f"ended with status {ended['exitCode']}"
    return f"{how}: {said[-1].strip()}" if said else how


def _conditions(pod: Object) -> list[Object]:
    found: list[Object] = pod["status"].get("conditions", [])
    return found
