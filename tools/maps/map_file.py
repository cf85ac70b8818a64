"""`map.json` beside the runs of a map: its question, its machine, and what a round costs there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tools.environment import is_same_machine
from tools.maps.question import Question
from tools.results import BadResultsError, write_whole
from tools.rounds import RoundCost

NAME = "map.json"
STEM = "map-"
"""Of the folder's name."""


class Map(Struct, frozen=True, kw_only=True):
    """What the file holds."""

    version: Literal[1] = 1
    question: Question
    environment: Mapping[str, Any]
    """The machine, as `tools.environment.describe` gives it."""
    rounds: RoundCost
    """What a round of a `compute` step cost when the map was begun."""


def write(folder: Path, made: Map) -> None:
    """Raises BadResultsError."""
    text = msgspec.json.format(msgspec.json.encode(made), indent=1).decode()
    write_whole(folder / NAME, f"{text}\n")


def read(folder: Path) -> Map | None:
    """None where the folder is not one of `sweetspot map`. Raises BadResultsError."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Map)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise BadResultsError(f"{path}: not what `sweetspot map` writes: {error}") from error


def newest(results: Path, environment: Mapping[str, Any], question: Question | None = None) -> tuple[Path, Map] | None:
    """The newest map of that machine, or the newest with that question. Raises BadResultsError."""
    for folder in sorted(results.glob(f"{STEM}*"), reverse=True):
        found = read(folder)
        if found is None or not is_same_machine(found.environment, environment):
            continue
        if question is None or found.question == question:
            return folder, found
    return None
