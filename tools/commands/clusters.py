"""The cluster that a results folder came from."""

import json
from pathlib import Path

from tools.cluster.run import Cluster
from tools.local import Programs
from tools.status import PlainError


def cluster_of(folder: Path, programs: Programs, *, despite_noise: bool = False) -> Cluster:
    """`despite_noise`: its next trials are not void for what tools/checks.py finds.

    Raises PlainError where it came from this machine, or the cluster does not answer."""
    path = folder / "environment.json"
    described = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "cluster" not in described:
        raise PlainError(f"{folder}: not a run in a cluster; its spans are in traces/ and in the report")
    return Cluster.resumed(described["cluster"], programs, despite_noise=despite_noise)
