"""Everything that a results folder holds beside the spans. Must not know what is shown of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tools import strict_yaml
from tools.pooling import by_arm_and_point
from tools.results import Trial, read_trials


@dataclass(frozen=True, slots=True)
class Contents:
    """A results folder, read."""

    trials: tuple[Trial, ...]
    """One for each arm and point: its rounds together."""
    models: tuple[str, ...]
    """Arms, in the experiment's order; each keeps its colour by its place here."""
    connections: tuple[int, ...]
    """Ascending."""
    missing: tuple[tuple[str, int], ...]
    """Model and connections of each trial that was asked for (else: that the others suggest) and is not there."""
    environment: Mapping[str, Any]
    experiment: str
    """The experiment as it was written, YAML."""
    problems: tuple[str, ...]
    """One line for each file that could not be read."""


def read(folder: Path) -> Contents:
    """Reads what is there; a file that is broken or missing becomes a problem. Raises BadResultsError."""
    found = read_trials(folder)
    problems = [*found.problems, *found.void]
    environment = _parse(folder / "environment.json", json.loads, problems)
    experiment = _parse(folder / "experiment.yaml", strict_yaml.load, problems)
    asked_arms = experiment.get("arms", {})
    load = experiment.get("load", {})
    asked_connections = [number for number in _list(load, "connections") if isinstance(number, int)]
    models = tuple(dict.fromkeys([*asked_arms, *(trial.arm for trial in found.trials)]))
    connections = tuple(sorted({*asked_connections, *(trial.connections for trial in found.trials)}))
    present = {(trial.arm, trial.connections) for trial in found.trials}
    return Contents(
        trials=tuple(by_arm_and_point(found.trials)),
        models=models,
        connections=connections,
        missing=tuple(pair for pair in product(models, connections) if pair not in present),
        environment=environment,
        experiment=(folder / "experiment.yaml").read_text(encoding="utf-8") if experiment else "",
        problems=tuple(problems),
    )


def _parse(path: Path, parser: Any, problems: list[str]) -> Mapping[str, Any]:
    try:
        content = parser(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path.name}: {error.strerror}")
        return {}
    except (ValueError, yaml.YAMLError) as error:
        problems.append(f"{path.name}: cannot be read: {' '.join(str(error).split())[:160]}")
        return {}
    if not isinstance(content, Mapping):
        problems.append(f"{path.name}: not a mapping")
        return {}
    return content


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    value = content.get(key)
    return value if isinstance(value, list) else []
