"""Experiments: YAML in, one frozen value out, checked before anything is started.

Must not know how a trial is run, nor which models there are.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from google.protobuf import json_format
from sweetspot.v1.workload_pb2 import RunRequest

from tools import strict_yaml
from tools.named import EXPERIMENTS, names
from tools.status import PlainError

DRIVERS_OWN = ("payload_bytes", "keys")
"""What a plan may have beside a RunRequest's fields."""


class BadExperimentError(PlainError):
    """An experiment that is not there or not valid; the message is one line for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What a rate must meet to count as served."""

    p99_ms: float
    ok_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the highest rate that meets the objective is looked for."""

    start_rps: float
    highest_rps: float
    within: float
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A grid of which each cell is one search."""

    plans: Mapping[str, Mapping[str, Any]]
    replicas: Sequence[int]
    cpus: Sequence[float]
    most_cpus: float
    workers: Mapping[str, Mapping[str, Sequence[int]]]
    objective: Objective
    search: Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is asked of every model; each field is told in experiment.schema.json."""

    title: str
    models: Sequence[str] | None
    """As `thread_pool`; None for all."""
    connections: Sequence[int]
    streams: int | None
    rate_rps: float | None
    arrival: str | None
    warmup_s: float
    duration_s: float
    timeout_s: float
    trace_ratio: float
    plan: Mapping[str, Any]
    """Empty where there is `scale`, which has its own."""
    scale: "Scale | None"
    service_options: Mapping[str, str | float]

    def of(self, models: Sequence[str]) -> "Experiment":
        """The same asked of those models."""
        return dataclasses.replace(self, models=models)

    def to_yaml(self) -> str:
        """What `read` reads back as an equal experiment; every default is spelled out."""
        content = {key: value for key, value in dataclasses.asdict(self).items() if value is not None}
        if self.scale is not None:
            del content["plan"]
        return yaml.safe_dump(content, sort_keys=False)


def find(name: str) -> Path:
    """The file of an experiment, given its name or its path. Raises BadExperimentError."""
    named = EXPERIMENTS / f"{name}.yaml"
    if "/" not in name and named.is_file():
        return named
    if Path(name).is_file():
        return Path(name)
    raise BadExperimentError(f"no experiment {name!r}: it is neither a file nor one of {', '.join(names())}")


def read(path: Path) -> Experiment:
    """Reads one experiment. Raises BadExperimentError, whose text begins with the file's name."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadExperimentError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadExperimentError(f"{path}: not YAML: {_one_line(error)}") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Experiment:
    """Reads what such a file holds. Raises BadExperimentError, whose text begins with `name`."""
    try:
        written = strict_yaml.load(text)
    except strict_yaml.DuplicateKeyError as error:
        raise BadExperimentError(f"{name}: {error}") from error
    except yaml.YAMLError as error:
        raise BadExperimentError(f"{name}: not YAML: {_one_line(error)}") from error
    problem = jsonschema.exceptions.best_match(_validator().iter_errors(written))
    if problem is not None:
        raise BadExperimentError(f"{name}: at {problem.json_path}: {_explain(problem)}")
    if "plan" in written:
        _check_plan(written["plan"], f"{name}: at $.plan")
    for label, plan in written.get("scale", {}).get("plans", {}).items():
        _check_plan(plan, f"{name}: at $.scale.plans.{label}")
    return _make(written)


def _check_plan(plan: Mapping[str, Any], where: str) -> None:
    try:
        json_format.ParseDict({name: value for name, value in plan.items() if name not in DRIVERS_OWN}, RunRequest())
    except (json_format.ParseError, TypeError) as error:
        raise BadExperimentError(f"{where}: {_one_line(error)}") from error


def _make(written: Mapping[str, Any]) -> Experiment:
    content: dict[str, Any] = {field.name: None for field in dataclasses.fields(Experiment)}
    content |= _filled_in(written, _schema())
    if content["scale"] is not None:
        content["plan"] = {}
        content["scale"] = _make_scale(content["scale"])
    elif content["rate_rps"] is None and content["streams"] is None:
        content["streams"] = 1
    models = content.pop("models")
    return Experiment(models=None if models == "all" else [_label(name) for name in models], **content)


def _make_scale(content: Mapping[str, Any]) -> Scale:
    parts = {"objective": Objective(**content["objective"]), "search": Search(**content["search"])}
    workers = {_label(model): counts for model, counts in content["workers"].items()}
    return Scale(**{**content, **parts, "workers": workers})


def _filled_in(written: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """What was written, and each default that the schema has, those of objects within it too."""
    content = {key: told["default"] for key, told in schema["properties"].items() if "default" in told} | dict(written)
    return {
        key: _filled_in(value, schema["properties"][key]) if "properties" in schema["properties"][key] else value
        for key, value in content.items()
    }


def _label(name: str) -> str:
    return name.replace("-", "_")


@cache
def _schema() -> Any:
    return json.loads(Path(__file__).with_name("experiment.schema.json").read_text(encoding="utf-8"))


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schema())


def _explain(problem: jsonschema.ValidationError) -> str:
    if problem.validator == "not" and problem.json_path == "$":
        if "then" in problem.absolute_schema_path:
            return "scale has plans of its own and looks for the rate: plan, streams and rate_rps exclude it"
        return "streams (closed loop) and rate_rps (open loop) exclude each other"
    return _one_line(problem.message)


def _one_line(error: object) -> str:
    line = " ".join(str(error).split()).rstrip(".")
    return line if len(line) <= 160 else f"{line[:79]} ... {line[-79:]}"
