"""Whether nodes have room, counted as the scheduler counts."""

from typing import Any

import pytest

from tools.cluster.room import Room, amount, asked, lacking, left_on

GIB = 2**30


def node(name: str, cpu: str, *taints: str) -> dict[str, Any]:
    offered = {"cpu": cpu, "memory": "4Gi"}
    spec = {"taints": [{"effect": effect} for effect in taints]}
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": offered}}


def spec(cpu: str, node_name: str = "", **resources: Any) -> dict[str, Any]:
    resources = resources or {"requests": {"cpu": cpu, "memory": "256Mi"}}
    return {"nodeName": node_name, "containers": [{"resources": resources}]}


def pod(cpu: str, node_name: str, phase: str = "Running") -> dict[str, Any]:
    return {"spec": spec(cpu, node_name), "status": {"phase": phase}}


def test_what_running_pods_ask_for_is_not_free_and_what_has_ended_is() -> None:
    pods = [pod("500m", "a"), pod("1", "a", "Succeeded"), pod("1", "elsewhere"), pod("1", "")]
    assert left_on([node("a", "2"), node("b", "1900m")], pods) == [Room(1.5, 3.75 * GIB), Room(1.9, 4 * GIB)]


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_a_node_that_takes_no_pods_has_no_room(effect: str) -> None:
    assert left_on([node("a", "2", effect), node("b", "2", "PreferNoSchedule")], []) == [Room(2, 4 * GIB)]


def test_a_pod_asks_for_its_limit_where_it_has_no_request() -> None:
    assert asked(spec("", limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "250m"})) == Room(0.25, GIB)


@pytest.mark.parametrize(
    ("free", "wanted", "says"),
    [
        ([1.0, 1.0], [0.5] * 4, ""),
        ([0.1] * 2, [0.1, 0.1], ""),
        ([0.3], [0.1] * 3, ""),
        (
            [2.0, 2.0],
            [0.25] * 19,
            "3 of 19 pods may not fit: together they request 4.75 CPUs and 0.0 GiB, but only 4 CPUs",
        ),
        (
            [0.5, 0.5],
            [1.0],
            "1 of 1 pods may not fit: together they request 1 CPUs and 0.0 GiB, but only 1 CPUs",
        ),
        (
            [],
            [1.0],
            "1 of 1 pods may not fit: together they request 1 CPUs and 0.0 GiB, but only 0 CPUs",
        ),
    ],
)
def test_how_many_pods_may_have_no_room_is_said_with_what_is_free(
    free: list[float], wanted: list[float], says: str
) -> None:
    said = lacking([Room(cpus, 0) for cpus in free], [Room(cpus, 0) for cpus in wanted])
    assert said.startswith(says)
    assert bool(said) == bool(says)


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("2", 2.0),
        ("1900m", 1.9),
        ("0.5", 0.5),
        (".5", 0.5),
        ("24581692Ki", 24581692 * 1024),
        ("1.5G", 1.5e9),
        ("128974848000m", 128974848),  # as kubernetes.io/docs/concepts/configuration/manage-resources-containers has it
        ("1P", 1e15),
        ("2E", 2e18),
        ("1Pi", 2**50),
        ("1Ei", 2**60),
        ("129e6", 129e6),
        ("1E3", 1000),
    ],
)
def test_kubernetes_notation_of_quantities(quantity: str, number: float) -> None:
    assert amount(quantity) == number


@pytest.mark.parametrize("quantity", ["", "much", "1KiB", "inf", "1 Gi"])
def test_what_is_no_quantity_is_not_read_as_one(quantity: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(quantity)


def test_a_pod_of_a_stranger_that_cannot_be_read_does_not_count() -> None:
    assert left_on([node("a", "2")], [pod("much", "a"), pod("1", "a")]) == [Room(1, 3.75 * GIB)]


@pytest.mark.parametrize(
    ("toleration", "counts"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "lab", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "lab", "value": "load"}, True),
        ({"key": "lab", "value": "web"}, False),
        ({"key": "gpu", "operator": "Exists"}, False),
        ({"key": "lab", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_a_tainted_node_has_room_for_pods_that_tolerate_it(toleration: dict[str, str], counts: bool) -> None:
    tainted = node("a", "2")
    tainted["spec"]["taints"] = [{"key": "lab", "value": "load", "effect": "NoSchedule"}]
    assert bool(left_on([tainted], [], [toleration])) == counts
