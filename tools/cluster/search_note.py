"""The note of a search on a Deployment that it changes. A later command restores the Deployment, or does not use it.

A note is valid only while the containers are those that the search has set. A user who deploys during the search sets
them to new values. Helm 4 then removes the note, and helm 3 leaves it. Must not know how a search is made.
"""

import json
from dataclasses import asdict, dataclass

from tools.cluster.api import ClusterError, Object
from tools.cluster.release import Release

BEFORE = "sweetspot.dev/before-search"
"""The annotation: a DeploymentNote as JSON."""


@dataclass(frozen=True, slots=True)
class DeploymentNote:
    """A Deployment before a search, and what the search changes it to."""

    run: str
    replicas: int
    containers: list[Object]
    """The containers before the search."""
    during_search: list[Object]
    """The containers of the cell that is searched, as the API server returns them."""

    def to_json(self) -> str:
        """As the annotation has it."""
        return json.dumps(asdict(self))


def noted(deployment: Object) -> DeploymentNote | None:
    """The note of the search that uses the Deployment; None if no search uses it."""
    text = deployment["metadata"].get("annotations", {}).get(BEFORE)
    try:
        note = DeploymentNote(**json.loads(text)) if text else None
    except (ValueError, TypeError):  # written by another version, or by hand
        return None
    return note if note and note.during_search == deployment["spec"]["template"]["spec"]["containers"] else None


def reject_searched(release: Release, model: str) -> None:
    """Raises ClusterError for a model that a search has changed and not restored."""
    deployment = release.deployment(model)
    if note := noted(deployment):
        raise ClusterError(
            f"deployment {deployment['metadata']['name']} in namespace {release.api.namespace} still has the settings "
            f"of run {note.run}, whose search did not end; try: {ways_back(note.run, release)}"
        )


def ways_back(run: str, release: Release) -> str:
    """The commands that restore a Deployment after an unfinished search of that run."""
    return f"sweetspot run --resume results/{run}, or {release.upgrade()}"
