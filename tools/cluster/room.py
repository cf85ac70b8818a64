"""Whether nodes have room for pods: what they offer, less what the pods on them ask for.

An estimate: it counts CPUs, memory and taints, and puts each pod on the first node that holds it. The scheduler knows
more rules, and other orders. Pure: the API's objects in, text out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tools.units import count

Json = Mapping[str, Any]

_FACTORS = {unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m", "", "k", *"MGTPE"), -3)}
_FACTORS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(" + "|".join(_FACTORS) + ")")
_BARRING = {"NoSchedule", "NoExecute"}
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
    """What a pod of that spec asks for: requests, and limits where there is no request. Raises ValueError."""
    cpus = memory_bytes = 0.0
    for container in pod_spec["containers"]:
        resources = container.get("resources") or {}
        wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        cpus += amount(str(wanted.get("cpu", 0)))
        memory_bytes += amount(str(wanted.get("memory", 0)))
    return Room(cpus, memory_bytes)


def left_on(nodes: Iterable[Json], pods: Iterable[Json], tolerations: Sequence[Json] = ()) -> list[Room]:
    """What each node that takes pods with those tolerations has left beside these pods.

    A pod that cannot be read does not count.
    """
    left: dict[str, Room] = {}
    for node in nodes:
        barring = (taint for taint in node.get("spec", {}).get("taints") or () if taint["effect"] in _BARRING)
        if all(any(_tolerates(each, taint) for each in tolerations) for taint in barring):
            offered = node["status"]["allocatable"]
            room = Room(amount(offered["cpu"]), amount(offered.get("memory", "0")))
            left[node["metadata"]["name"]] = room
    for pod in pods:
        on = pod["spec"].get("nodeName", "")
        if on in left and pod["status"].get("phase") not in _ENDED:
            with suppress(ValueError):
                left[on] = left[on].without(asked(pod["spec"]))
    return list(left.values())


def _tolerates(toleration: Json, taint: Json) -> bool:
    """Source: kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration."""
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key", "") in {"", taint["key"]}
    return bool(toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", ""))


def lacking(left: Sequence[Room], wanted: Sequence[Room]) -> str:
    """How many pods may have no room, in a line without what to do about it; empty where all have."""
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
        f"{count(homeless)} of {count(len(wanted))} pods may not fit: "
        f"together they request {_text(wanted)}, but only {_text(left)} are free on {nodes}"
    )


def _text(rooms: Sequence[Room]) -> str:
    cpus = round(sum(max(room.cpus, 0.0) for room in rooms), 2)
    return f"{cpus:g} CPUs and {sum(room.memory_bytes for room in rooms) / 2**30:.1f} GiB"


def amount(quantity: str) -> float:
    """Kubernetes' notation of CPUs and of bytes: `500m` is 0.5, `1Ki` is 1,024. Raises ValueError."""
    read = _QUANTITY.fullmatch(quantity)
    if read is None:
        raise ValueError(f"{quantity!r} is not a quantity such as 500m or 512Mi")
    return float(Decimal(read[1]) * _FACTORS[read[2]])
