"""What two runs must have in common, so that their figures can be compared."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tools import experiment
from tools.experiment import AXES, BadExperimentError
from tools.results import BadResultsError, read_json

MACHINE = ("cpu", "cpus", "pinning", "kernel", "python", "kubernetes", "resources", "replicas")
"""Keys of environment.json. The revision is not one of them: it is what is compared."""


def conditions(folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What holds for the whole run, by name; and the load of each point. Raises BadResultsError."""
    environment = read_json(folder / "environment.json")
    try:
        asked = experiment.read(folder / "experiment.yaml")
    except BadExperimentError as error:
        raise BadResultsError(str(error)) from error
    found = {name: environment[name] for name in MACHINE if name in environment}
    found |= {f"package {name}": version for name, version in environment.get("packages", {}).items()}
    load = msgspec.to_builtins(asked.load)
    found |= {f"load.{name}": value for name, value in load.items() if name not in AXES}
    found |= {name: getattr(asked, name) for name in ("warmup_s", "duration_s", "blocks")}
    found |= {"plan": asked.calls, "windows": msgspec.to_builtins(asked.windows)}
    if asked.service_options:
        found["service_options"] = dict(asked.service_options)
    return found, {point.name: msgspec.to_builtins(point) for point in asked.points}


def differences(
    first: tuple[Mapping[str, Any], Mapping[str, Any]], second: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> Iterator[str]:
    """Each condition that differs, and each point whose load does, as `kernel (Linux 6.1 and Linux 6.18)`."""
    shared = {f"point {name}": (first[1][name], second[1][name]) for name in first[1] if name in second[1]}
    names = dict.fromkeys([*first[0], *second[0]])
    for name, (one, other) in {**{n: (first[0].get(n), second[0].get(n)) for n in names}, **shared}.items():
        if one != other:
            yield f"{name} ({_text(one)} and {_text(other)})"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:28]}...{text[-28:]}"
