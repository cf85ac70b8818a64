"""Why pods are not ready, or still exist: lines with the pod and the next step. Pure: the API's JSON in, text out."""

from collections.abc import Iterable, Mapping
from typing import Any

from tools.deploy.release_commands import ReleaseCommands

KubernetesObject = Mapping[str, Any]

_NO_IMAGE = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}
_ENDED = {"CrashLoopBackOff", "Error", "OOMKilled", "Completed"}


def troubles(pods: Iterable[KubernetesObject], last_words: Mapping[str, str], release: ReleaseCommands) -> list[str]:
    """A line for each pod that is not ready; `last_words` are the last line of a pod's log, by its name."""
    found = (trouble(pod, last_words.get(pod["metadata"]["name"], ""), release) for pod in pods)
    return [line for line in found if line is not None]


def ready_pods(deployments: Iterable[KubernetesObject]) -> str:
    """How many of the installed pods are ready; empty if nothing is installed yet."""
    wanted = ready = 0
    for each in deployments:
        status, replicas = each.get("status", {}), each["spec"].get("replicas", 1)
        seen = status.get("observedGeneration") == each["metadata"]["generation"]
        wanted += replicas
        ready += min(status.get("updatedReplicas", 0), status.get("readyReplicas", 0), replicas) if seen else 0
    return f"waiting for pods: {ready} of {wanted} are ready" if wanted else ""


def refusals(
    pods: Iterable[KubernetesObject], deployments: Iterable[KubernetesObject], release: ReleaseCommands
) -> list[str]:
    """Why pods have no node, or are not created at all. Waiting alone does not change this."""
    lines = []
    no_node = {
        pod["metadata"]["name"]: scheduled.get("message", "no node accepts it")
        for pod in pods
        if (scheduled := _condition(pod.get("status", {}), "PodScheduled")).get("status") == "False"
    }
    if no_node:
        (name, why), more = next(iter(no_node.items())), len(no_node) - 1
        which = f"pods {name} and {more} more are" if more else f"pod {name} is"
        lines.append(f"{which} Pending: {why}; {_next_for_pending(why, release)}")
    for each in deployments:
        failure = _condition(each.get("status", {}), "ReplicaFailure")
        if failure.get("status") == "True":
            look = release.kubectl_command("describe resourcequota,limitrange")
            name = each["metadata"]["name"]
            lines.append(
                f"deployment {name} gets no pod: {failure.get('message', '')}; next: {ask_for_less(release)}, or {look}"
            )
    return lines


def ask_for_less(release: ReleaseCommands) -> str:
    """What to set if pods ask for more than there is."""
    less = release.make("deploy", 'ARGS="--set defaults.cpu=100m"')
    return f"request less, as {less}, or deploy fewer (--models A,B)"


def still_leaving(pods: Iterable[KubernetesObject], release: ReleaseCommands) -> list[str]:
    """A line for each node that still has pods that are being deleted."""
    by_node: dict[str, list[str]] = {}
    for pod in pods:
        if "deletionTimestamp" in pod["metadata"]:
            by_node.setdefault(pod["spec"].get("nodeName", "none"), []).append(pod["metadata"]["name"])
    return [
        f"node {node}: ordered to delete these pods, but they remain: {', '.join(names)}; "
        f"next: {release.kubectl_command(f'describe node {node}')}, and when it is ready {release.make('undeploy')}"
        for node, names in sorted(by_node.items())
    ]


def trouble(pod: KubernetesObject, printed: str, release: ReleaseCommands) -> str | None:
    """What is wrong with a pod; None if it is ready or has completed."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if status.get("phase") == "Succeeded" or _condition(status, "Ready").get("status") == "True":
        return None
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        why = scheduled.get("message", "no node accepts it")
        return f"pod {name} is Pending: {why}; {_next_for_pending(why, release)}"
    for container in status.get("containerStatuses", ()):
        line = _of_container(name, container, printed, release)
        if line is not None:
            return line
    look = release.kubectl_command(f"describe pod {name}")
    return f"pod {name} is {status.get('phase', 'unknown')} and not ready{_quote(printed)}; next: {look}"


def _of_container(pod: str, container: KubernetesObject, printed: str, release: ReleaseCommands) -> str | None:
    waiting = container.get("state", {}).get("waiting", {})
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    reason = waiting.get("reason", "")
    if reason in _NO_IMAGE:
        return (
            f"pod {pod}: no image {container['image']} on its node, nor where it is pulled from ({reason}); "
            f"next: {release.make('deploy')} builds and loads it, with REGISTRY=... it pushes it"
        )
    look = release.kubectl_command(f"describe pod {pod}")
    if reason.startswith("Create"):  # CreateContainerConfigError, CreateContainerError: a profile or a map is missing
        return f"pod {pod} cannot be started: {waiting.get('message', reason)}; next: {look}"
    if ended and (reason in _ENDED or not container.get("ready")):
        if ended.get("reason") == "OOMKilled":
            more = release.make("deploy", 'ARGS="--set defaults.memory=512Mi"')
            return f"pod {pod} exceeded its memory limit and was killed; next: raise the limit, as {more}"
        logs = release.kubectl_command(f"logs {pod} --previous")
        return f"pod {pod} ended with status {ended.get('exitCode')}{_quote(printed)}; next: {logs}"
    return None


def _next_for_pending(why: str, release: ReleaseCommands) -> str:
    if "Insufficient" in why:
        return f"next: {ask_for_less(release)}"
    return f"next: {release.kubectl_command('get nodes')}"


def _condition(status: KubernetesObject, kind: str) -> KubernetesObject:
    found: KubernetesObject = next((entry for entry in status.get("conditions", ()) if entry["type"] == kind), {})
    return found


def _quote(printed: str) -> str:
    return f": {printed}" if printed else ""
