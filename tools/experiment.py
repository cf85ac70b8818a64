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

FOLDER = Path(__file__).with_name("experiments")
"""The experiments that have names."""


class BadExperimentError(Exception):
    """An experiment that is not there or not valid; the message is one line for a person."""


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
    service_options: Mapping[str, str | float]

    def of(self, models: Sequence[str]) -> "Experiment":
        """The same asked of those models."""
        return dataclasses.replace(self, models=models)

    def to_yaml(self) -> str:
        """What `read` reads back as an equal experiment; every default is spelled out."""
        content = {key: value for key, value in dataclasses.asdict(self).items() if value is not None}
        return yaml.safe_dump(content, sort_keys=False)


def find(name: str) -> Path:
    """The file of an experiment, given its name or its path. Raises BadExperimentError."""
    named = FOLDER / f"{name}.yaml"
    if "/" not in name and named.is_file():
        return named
    if Path(name).is_file():
        return Path(name)
    raise BadExperimentError(f"no experiment {name!r}: it is neither a file nor one of {', '.join(names())}")


def names() -> list[str]:
    """The experiments that need no path."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(path: Path) -> Experiment:
    """Reads one experiment. Raises BadExperimentError, whose text begins with the file's name."""
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadExperimentError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadExperimentError(f"{path}: not YAML: {_one_line(error)}") from error
    problem = jsonschema.exceptions.best_match(_validator().iter_errors(written))
    if problem is not None:
        raise BadExperimentError(f"{path}: at {problem.json_path}: {_explain(problem)}")
    try:
        request = {key: value for key, value in written["plan"].items() if key != "payload_bytes"}
        json_format.ParseDict(request, RunRequest())
    except (json_format.ParseError, TypeError) as error:
        raise BadExperimentError(f"{path}: at $.plan: {_one_line(error)}") from error
    return _make(written)


def _make(written: Mapping[str, Any]) -> Experiment:
    properties = _schema()["properties"]
    content: dict[str, Any] = {field.name: None for field in dataclasses.fields(Experiment)}
    content |= {key: told["default"] for key, told in properties.items() if "default" in told}
    content |= written
    if content["rate_rps"] is None and content["streams"] is None:
        content["streams"] = 1
    models = content.pop("models")
    return Experiment(models=None if models == "all" else [name.replace("-", "_") for name in models], **content)


@cache
def _schema() -> Any:
    return json.loads(Path(__file__).with_name("experiment.schema.json").read_text(encoding="utf-8"))


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schema())


def _explain(problem: jsonschema.ValidationError) -> str:
    if problem.validator == "not" and problem.json_path == "$":
        return "streams (closed loop) and rate_rps (open loop) exclude each other"
    return _one_line(problem.message)


def _one_line(error: object) -> str:
    line = " ".join(str(error).split()).rstrip(".")
    return line if len(line) <= 160 else f"{line[:79]} ... {line[-79:]}"
