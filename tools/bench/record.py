"""A bench on disk: `bench.json`, whole or not at all, checked against its committed schema.

It has the raw measurements of every round, so that a reader can compute other ratios. Must not know how they are shown.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from tools.bench.bounds import Overload
from tools.bench.goals import GOALS, GoalResult, Idle, Measurement, idle_result, result_of
from tools.results import BadResultsError, write_whole

VERSION = 3


@dataclass(slots=True)
class BenchRecord:
    """What was asked for and what has been measured so far."""

    started_at: str
    """UTC, RFC 3339."""
    asked: Mapping[str, Any]
    environment: Mapping[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    idle: Idle | None = None
    overloads: list[Overload] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """One line for each subject and round that could not be measured."""

    def results(self) -> list[GoalResult]:
        """Every goal and its result."""
        return [*(result_of(goal, self.measurements) for goal in GOALS), idle_result(self.idle)]


def content(record: BenchRecord) -> dict[str, Any]:
    """The record as plain data."""
    return {
        "version": VERSION,
        "started_at": record.started_at,
        "asked": dict(record.asked),
        "environment": dict(record.environment),
        "measurements": [
            {
                "round": each.round,
                "server": each.subject.server,
                "options": list(each.subject.options),
                "generator": each.subject.generator,
                "connections": each.subject.load.connections,
                "streams": each.subject.load.streams,
                "calls": each.calls,
                "elapsed_s": each.elapsed_s,
                "server_cpu_ns": each.server_cpu_ns,
                "generator_cpu_ns": each.generator_cpu_ns,
            }
            for each in record.measurements
        ],
        "idle": None if record.idle is None else asdict(record.idle),
        "overloads": [asdict(each) | {"options": list(each.options)} for each in record.overloads],
        "failures": record.failures,
        "goals": [asdict(each) for each in record.results()],
    }


def write(folder: Path, record: BenchRecord) -> Path:
    """Stores the record, replacing an earlier state of it. Raises BadResultsError."""
    path = folder / "bench.json"
    made = content(record)
    error = jsonschema.exceptions.best_match(_validator().iter_errors(made))
    if error is not None:
        raise BadResultsError(f"{path}: at {error.json_path}: {error.message}")
    write_whole(path, json.dumps(made, indent=1) + "\n")
    return path


@cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("bench.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)
