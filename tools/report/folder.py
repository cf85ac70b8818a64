"""Everything that a results folder holds beside the spans. Must not know what is shown of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from tools import strict_yaml
from tools.calibrate import calibration
from tools.calibrate.calibration import Calibration
from tools.experiment import Load, Point, points
from tools.families import family
from tools.pooling import by_arm_and_point
from tools.results import BadResultsError, Trial, TrialId, read_trials
from tools.standings import PointStandings, standings


class MissingResult(NamedTuple):
    """What has no result."""

    arm: str
    at: str
    """The point, as `10 connections`."""
    round: int | None
    """None: no round has a result."""
    why: str
    """In a few words, as `void: other processes took 30 % of the CPU`."""

    @property
    def described(self) -> str:
        """As `reactor at 10 connections, round 2`."""
        return f"{self.arm} at {self.at}{f', round {self.round}' if self.round else ''}"


@dataclass(frozen=True, slots=True)
class Contents:
    """A results folder, read."""

    trials: tuple[Trial, ...]
    """One for each arm and point: its rounds together."""
    points: tuple[PointStandings, ...]
    """Where each arm stands."""
    rounds: tuple[Trial, ...]
    """Each trial."""
    void: tuple[tuple[TrialId, str], ...]
    """Each trial that had a load but no result, and why."""
    failed: tuple[tuple[TrialId, str], ...]
    """Each trial that was started and failed, and why."""
    again: tuple[Trial, ...]
    """Second trials of an arm, which is compared with itself."""
    families: Mapping[str, str]
    """Arm -> the family of its model, in the experiment's order."""
    asked: tuple[Point, ...]
    """Every point that the experiment asks for, or that a trial was made at, ascending."""
    unmeasured: tuple[MissingResult, ...]
    """Each void or failed trial; and each arm that has no trial at an asked point."""
    environment: Mapping[str, Any]
    experiment: str
    """The experiment as it was written, YAML."""
    arms: Mapping[str, Mapping[str, Any]]
    """Of that, the arms."""
    calibration: Calibration | None
    """Of the driver on that machine, where it was known when the run began."""
    problems: tuple[str, ...]
    """One line for each file that could not be read."""


def read(folder: Path) -> Contents:
    """Reads what is there; a file that is broken or missing becomes a problem. Raises BadResultsError."""
    found = read_trials(folder)
    problems = list(found.problems)
    environment = _parse(folder / "environment.json", json.loads, problems)
    experiment = _parse(folder / "experiment.yaml", strict_yaml.load, problems)
    model_of = {arm: (asked or {}).get("model", arm) for arm, asked in experiment.get("arms", {}).items()}
    model_of |= {trial.arm: model_of.get(trial.arm, trial.arm) for trial, _ in found.without_result}
    model_of |= {trial.arm: trial.model for trial in found.trials}
    asked = {trial.id.point: trial.point for trial in found.trials} | _asked(experiment, problems)
    ordered = sorted(asked.values(), key=lambda point: point.order)
    known = {(trial.arm, trial.point) for trial in (*(trial.id for trial in found.trials), *dict(found.without_result))}
    unmeasured = [
        *(MissingResult(trial.arm, _at(asked, trial), trial.round, why) for trial, why in found.without_result),
        *(
            MissingResult(arm, point.described, None, "no trial")
            for arm in model_of
            for point in ordered
            if (arm, point.name) not in known
        ),
    ]
    return Contents(
        trials=tuple(by_arm_and_point(found.trials)),
        points=standings(found.trials),
        rounds=found.trials,
        void=found.void,
        failed=found.failed,
        again=found.again,
        families={arm: family(model) for arm, model in model_of.items()},
        asked=tuple(ordered),
        unmeasured=tuple(unmeasured),
        environment=environment,
        experiment=(folder / "experiment.yaml").read_text(encoding="utf-8") if experiment else "",
        arms=experiment.get("arms", {}),
        calibration=_calibration(folder, problems),
        problems=tuple(problems),
    )


def _calibration(folder: Path, problems: list[str]) -> Calibration | None:
    try:
        return calibration.read(folder)
    except BadResultsError as error:
        problems.append(str(error).replace(str(folder / calibration.NAME), calibration.NAME))
        return None


def _asked(experiment: Mapping[str, Any], problems: list[str]) -> dict[str, Point]:
    """Name -> point. Needs only the load, so a model that no longer exists does no harm."""
    if not experiment:
        return {}
    try:
        load = msgspec.convert(experiment.get("load"), Load)
    except msgspec.ValidationError as error:
        problems.append(f"experiment.yaml: load: {error}")
        return {}
    return {point.name: point for point in points(load)}


def _at(asked: Mapping[str, Point], trial: TrialId) -> str:
    return asked[trial.point].described if trial.point in asked else f"point {trial.point}"


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
