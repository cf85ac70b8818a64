"""Whose the fields are that were changed: theirs who applied the object."""

from typing import Any

from tools.cluster.ownership import MANAGER, handed_back

CPU: dict[str, Any] = {"f:resources": {"f:limits": {"f:cpu": {}}}}
MEMORY: dict[str, Any] = {"f:resources": {"f:limits": {"f:memory": {}}}}


def owner(manager: str, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def test_what_was_taken_from_who_applies_is_given_back_and_the_taker_is_no_owner() -> None:
    controller = owner("kube-controller-manager", "Update", {"f:status": {}})
    owners = [
        owner("helm", "Apply", {"f:spec": {"f:selector": {}, **MEMORY}}),
        controller,
        owner(MANAGER, "Update", {"f:spec": {"f:replicas": {}, **CPU}}),
    ]
    both: dict[str, Any] = {"f:resources": {"f:limits": {"f:memory": {}, "f:cpu": {}}}}
    helm = owner("helm", "Apply", {"f:spec": {"f:selector": {}, "f:replicas": {}, **both}})
    assert handed_back(owners) == [helm, controller]


def test_who_updates_gets_no_fields_that_it_did_not_have() -> None:
    before = [owner("helm", "Update", {"f:spec": MEMORY})]
    assert handed_back([*before, owner(MANAGER, "Update", {"f:spec": CPU})]) == before
