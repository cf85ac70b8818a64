"""Everything that a results folder holds beside the spans. Must not know what is shown of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tools import strict_yaml
from tools.calibrate import calibration
from tools.calibrate.calibration import Calibration
from tools.families import family
from tools.pooling import by_arm_and_point
from tools.results import BadResultsError, Trial, TrialId, read_trials
from tools.standings import At, standings
from tools.words import connections


class Unmeasured(NamedTuple):
    """What has no result."""

    arm: str
    connections: int
    round: int | None
    """None: no round has a result."""
    why: str
    """In a few words, as `void: other processes took 30 % of the CPU`."""

    @property
    def described(self) -> str:
        """As `reactor at 10 connections, round 2`."""
        return f"{self.arm} at {connections(self.connections)}{f', round {self.round}' if self.round else ''}"


@dataclass(frozen=True, slots=True)
class Contents:
    """A results folder, read."""

    trials: tuple[Trial, ...]
    """One for each arm and point: its rounds together."""
    points: tuple[At, ...]
    """Where each arm stands."""
    rounds: tuple[Trial, ...]
    """Each trial."""
    families: Mapping[str, str]
    """Arm -> the family of its model, in the experiment's order."""
    connections: tuple[int, ...]
    """Ascending."""
    unmeasured: tuple[Unmeasured, ...]
    """Each void trial; and each arm and number of connections without a trial that the experiment asks for (without an
    experiment: that the other trials suggest)."""
    environment: Mapping[str, Any]
    experiment: str
    """The experiment as it was written, YAML."""
    calibration: Calibration | None
    """Of the driver on that machine, where it was known when the run began."""
    problems: tuple[str, ...]
    """One line for each file that could not be read."""


def read(folder: Path) -> Contents:
    """Reads what is there; a file that is broken or missing becomes a problem. Raises BadResultsError."""
    found = read_trials(folder)
    problems = list(found.problems)
    void = sorted(_void(line) for line in found.void)
    environment = _parse(folder / "environment.json", json.loads, problems)
    experiment = _parse(folder / "experiment.yaml", strict_yaml.load, problems)
    model_of = {arm: (asked or {}).get("model", arm) for arm, asked in experiment.get("arms", {}).items()}
    model_of |= {one.arm: model_of.get(one.arm, one.arm) for one in void}
    model_of |= {trial.arm: trial.model for trial in found.trials}
    asked = [number for number in _list(experiment.get("load", {}), "connections") if isinstance(number, int)]
    known = {(trial.arm, trial.connections) for trial in found.trials} | {(one.arm, one.connections) for one in void}
    numbers = sorted({*asked, *(number for _, number in known)})
    missing = [Unmeasured(*pair, None, "no trial") for pair in product(model_of, numbers) if pair not in known]
    return Contents(
        trials=tuple(by_arm_and_point(found.trials)),
        points=standings(found.trials),
        rounds=found.trials,
        families={arm: family(model) for arm, model in model_of.items()},
        connections=tuple(numbers),
        unmeasured=(*void, *missing),
        environment=environment,
        experiment=(folder / "experiment.yaml").read_text(encoding="utf-8") if experiment else "",
        calibration=_calibration(folder, problems),
        problems=tuple(problems),
    )


def _calibration(folder: Path, problems: list[str]) -> Calibration | None:
    try:
        return calibration.read(folder)
    except BadResultsError as error:
        problems.append(str(error).replace(str(folder / calibration.NAME), calibration.NAME))
        return None


def _void(line: str) -> Unmeasured:
    """Of a line as `reactor-10-2: void: why`."""
    name, _, why = line.partition(": ")
    trial = TrialId.parse(name)
    # The name of a point begins with its connections (tools/experiment/load.py).
    return Unmeasured(trial.arm, int(trial.point.partition("-")[0]), trial.round, why)


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
