"""Where a run of claims was measured, and with which code. Must not know any figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.claims.judged_run import RUNS
from tools.results import BadResultsError, read_json

NAME = "environment.json"


@dataclass(frozen=True, slots=True)
class Machine:
    """That of a run."""

    described: Mapping[str, Any]
    """As environment.json has it; empty where nothing was measured."""
    differs: tuple[str, ...]
    """What is not the same for all experiments of the run, as `git_revision`."""


def machine(folder: Path) -> Machine:
    """That of the first experiment, by name. Raises BadResultsError."""
    found = [_read(path) for path in sorted((folder / RUNS).glob(f"*/{NAME}"))]
    first = found[0] if found else {}
    keys = dict.fromkeys(key for each in found for key in each)
    return Machine(first, tuple(key for key in keys if any(each.get(key) != first.get(key) for each in found)))


def _read(path: Path) -> Mapping[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise BadResultsError(f"{path}: not a mapping")
    if isinstance(cluster := content.get("cluster"), dict):
        # Each experiment is a run of its own there.
        content["cluster"] = {name: value for name, value in cluster.items() if name != "run"}
    return content
