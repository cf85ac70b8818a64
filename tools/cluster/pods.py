"""The state of a pod, in words: why it does not run, or how it ended. Must not know what the pod is for."""

from dataclasses import dataclass

from tools.cluster.api import Object
from tools.cluster.release import deploy_command

# Waiting does not help: what a pod in such a state needs does not come by itself.
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
"""Time for a busy node to acknowledge a pod. It took 3 s with ten processes for each processor."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a pod; one line, with what to try."""

    what: str
    hopeless: bool
    """Waiting does not help."""
    passing_s: float = 2.0
    """Trouble that has lasted for less time may end by itself: old pods that end make room."""


def ready(pod: Object) -> bool:
    """Whether it accepts calls and is not being deleted."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    return any(each["type"] == "Ready" and each["status"] == "True" for each in _conditions(pod))


def trouble(pod: Object) -> Trouble | None:
    """What is wrong with a pod; None if it runs, has ended well, is starting or is ending."""
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
    """That the pod was deleted, and why if the cluster states it, as after an eviction.

    Source: kubernetes.io/docs/concepts/workloads/pods/disruptions, "Pod disruption conditions".
    """
    why = [
        f": {each.get('message', each['reason'])}" for each in _conditions(pod) if each["type"] == "DisruptionTarget"
    ]
    return f"{_name(pod)} on {node_of(pod)} was deleted while it ran{''.join(why)}"


def silence(pod: Object) -> str | None:
    """That the pod's node no longer reports its state; None if the cluster does not show that.

    After 50 s without a report, the cluster marks the node's pods as not ready. It does not change the state of their
    containers that the node reported last (pkg/controller/util/node of Kubernetes, MarkPodsNotReady). A pod that its
    node has not acknowledged has no start time.
    """
    status = {each["type"]: each["status"] for each in _conditions(pod)}
    forgotten = status.get("Ready") == "False" and status.get("ContainersReady") == "True"
    node = node_of(pod)
    if forgotten or (node and pod["status"].get("startTime") is None):
        return f"{_name(pod)} on {node}: the node no longer reports its state; try: kubectl describe node {node}"
    return None


def node_of(pod: Object) -> str:
    """The node that it runs on, or is assigned to; empty before that is known."""
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
    """How a container in state `terminated` ended: killed for its memory, or its status and last line of output."""
    if ended is None:
        return None
    reason = ended.get("reason", "")
    if reason in {"OOMKilled", "Evicted"}:
        return f"was {reason}"
    lines = str(ended.get("message", "")).strip().splitlines()
    how = f"ended by signal {ended['signal']}" if ended.get("signal") else f"ended with status {ended['exitCode']}"
    return f"{how}: {lines[-1].strip()}" if lines else how


def _conditions(pod: Object) -> list[Object]:
    found: list[Object] = pod["status"].get("conditions", [])
    return found
