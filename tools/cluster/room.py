"""Whether nodes have room for pods: what they offer, less what the pods on them ask for, as the scheduler counts it.

It looks at CPUs and memory alone, and at no rule that binds a pod to a node: what it says has no room, has none.
Pure: the API's objects in, text out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.units import count

Json = Mapping[str, Any]

_BYTES = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_ENDED = {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class Room:
    """What a node has left, or what a pod asks for."""

    cpus: float
    memory_bytes: float

    def holds(self, other: "Room") -> bool:
        # A sum of many floats: what differs by less than a thousandth of a CPU is equal.
        return other.cpus <= self.cpus + 0.0005 and other.memory_bytes <= self.memory_bytes

    def without(self, other: "Room") -> "Room":
        return Room(self.cpus - other.cpus, self.memory_bytes - other.memory_bytes)


def asked(pod_spec: Json) -> Room:
    """What a pod of that spec asks for: requests, and limits where there is no request."""
    cpus = memory_bytes = 0.0
    for container in pod_spec["containers"]:
        resources = container.get("resources") or {}
        wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        cpus += cpus_of(str(wanted.get("cpu", 0)))
        memory_bytes += bytes_of(str(wanted.get("memory", 0)))
    return Room(cpus, memory_bytes)


def left_on(nodes: Iterable[Json], pods: Iterable[Json]) -> list[Room]:
    """What each node that takes pods has left beside these."""
    left: dict[str, Room] = {}
    for node in nodes:
        taints = [taint["effect"] for taint in node.get("spec", {}).get("taints") or ()]
        if "NoSchedule" not in taints and "NoExecute" not in taints:
            offered = node["status"]["allocatable"]
            room = Room(cpus_of(offered["cpu"]), bytes_of(offered.get("memory", "0")))
            left[node["metadata"]["name"]] = room
    for pod in pods:
        on = pod["spec"].get("nodeName", "")
        if on in left and pod["status"].get("phase") not in _ENDED:
            left[on] = left[on].without(asked(pod["spec"]))
    return list(left.values())


def lacking(left: Sequence[Room], wanted: Sequence[Room]) -> str:
    """How many pods have no room, in a line without what to do about it; empty where all have."""
    free = list(left)
    homeless = 0
    for pod in sorted(wanted, key=lambda each: each.cpus, reverse=True):
        place = next((place for place, room in enumerate(free) if room.holds(pod)), None)
        if place is None:
            homeless += 1
        else:
            free[place] = free[place].without(pod)
    if not homeless:
        return ""
    nodes = f"{count(len(left))} node{'' if len(left) == 1 else 's'}"
    return (
        f"no room for {count(homeless)} of {count(len(wanted))} pods: together they ask for {_text(wanted)}, "
        f"and {_text(left)} are free on {nodes}"
    )


def _text(rooms: Sequence[Room]) -> str:
    cpus = round(sum(max(room.cpus, 0.0) for room in rooms), 2)
    return f"{cpus:g} CPUs and {sum(room.memory_bytes for room in rooms) / 2**30:.1f} GiB"


def cpus_of(quantity: str) -> float:
    """Kubernetes' notation of CPUs: `500m` is 0.5."""
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def bytes_of(quantity: str) -> float:
    """Kubernetes' notation of memory: `1Ki` is 1,024."""
    unit = next((unit for unit in ("Ki", "Mi", "Gi", "Ti", "k", "M", "G", "T") if quantity.endswith(unit)), "")
    return float(quantity.removesuffix(unit)) * _BYTES.get(unit, 1.0)
