"""How a pod fares, in words: why it does not run, or how it ended. Must not know what it is for."""

from dataclasses import dataclass

from tools.cluster.api import Object

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


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a pod; one line, with what to try."""

    what: str
    hopeless: bool
    """It is no use to wait."""


def ready(pod: Object) -> bool:
    """Takes calls, and is not about to go."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    return any(each["type"] == "Ready" and each["status"] == "True" for each in _conditions(pod))


def trouble(pod: Object) -> Trouble | None:
    """None for a pod that runs, has ended well, or is on its way."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    look = f"try: kubectl describe pod {name} -n {namespace}"
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            why = str(condition.get("message", condition.get("reason", "")))
            what = f"pod {name} is Pending: {why.rstrip('.')}; ask for less CPU or memory, or free some; {look}"
            return Trouble(what, hopeless=False)
    for container in pod["status"].get("containerStatuses", ()):
        waiting, ended = container["state"].get("waiting"), container["state"].get("terminated")
        if waiting and waiting.get("reason") in _IMAGE:
            what = f"pod {name}: image {container['image']} is not there ({waiting['reason']}); try: make images"
            return Trouble(what, hopeless=True)
        if waiting and waiting.get("reason") in _HOPELESS:
            before = how_it_ended(container.get("lastState", {}).get("terminated"))
            why = before or waiting.get("message", "")
            return Trouble(f"pod {name}: {waiting['reason']}: {why}; {look}", hopeless=True)
        if ended and ended["exitCode"] != 0:
            return Trouble(f"pod {name} {how_it_ended(ended)}", hopeless=True)
    return None


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
