"""Changes an object without becoming the owner of its fields.

In server-side apply, the client that changes a field becomes its owner
(kubernetes.io/docs/reference/using-api/server-side-apply). Helm 4 may then no longer change the field: its upgrade ends
with a conflict. So the ownership is handed back after each change. Must not know what is changed.
"""

from typing import Any

from tools.cluster.api import Api, ConflictError, Object

MANAGER = "sweetspot"
"""Owner of the fields that `change` has changed and not yet handed back."""

_TRIES = 10
"""The deployment controller writes the status within milliseconds of a change; 3 tries were always enough."""


def change(api: Api, kind: str, name: str, fields: Object) -> None:
    """Changes those fields (RFC 7386). The client that applied the object stays their owner. Raises ClusterError.

    It takes two requests, because the server makes the caller the owner of what a request changes. A process that is
    killed between the two leaves fields to MANAGER. The next change of the object hands them back too.
    """
    changed = api.merge(kind, name, fields, manager=MANAGER)
    for _ in range(_TRIES):
        owners = changed["metadata"].get("managedFields", [])
        if not any(each["manager"] == MANAGER for each in owners):
            return
        version = changed["metadata"]["resourceVersion"]
        hand = {"metadata": {"managedFields": handed_back(owners), "resourceVersion": version}}
        try:
            changed = api.merge(kind, name, hand, manager=MANAGER)
        except ConflictError:
            changed = api.get(kind, name)


def handed_back(owners: list[Object]) -> list[Object]:
    """`metadata.managedFields` without MANAGER, whose fields are those of the appliers again.

    An owner with the operation Update does not get them: it has no conflict.
    """
    given = [each["fieldsV1"] for each in owners if each["manager"] == MANAGER]
    left = [each for each in owners if each["manager"] != MANAGER]
    return [
        {**each, "fieldsV1": _union(each["fieldsV1"], *given)} if each["operation"] == "Apply" else each
        for each in left
    ]


def _union(fields: Object, *more: Object) -> Object:
    """The union of sets of fields: each field is a key, and its value is the set of fields in it."""
    whole: dict[str, Any] = dict(fields)
    for other in more:
        for field, inside in other.items():
            whole[field] = _union(whole.get(field, {}), inside)
    return whole
