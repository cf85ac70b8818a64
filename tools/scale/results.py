"""Cells on disk: a file each, written whole or not at all, and checked against the schema both ways."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from tools.results import BadResultsError, from_json, read_json, to_json, write_whole
from tools.scale.cells import Cell, LeftOut, Searched, Try
from tools.scale.search import Found

VERSION = 1
FOLDER = "cells"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a results folder holds of a grid."""

    searched: tuple[Searched, ...]
    left_out: tuple[LeftOut, ...]
    problems: tuple[str, ...]
    """One line for each file that could not be read."""

    @property
    def cells(self) -> set[Cell]:
        """All that need not be run again."""
        return {one.cell for one in self.searched} | {one.cell for one in self.left_out}


def is_scale(folder: Path) -> bool:
    """Whether a results folder is that of a grid, not of trials."""
    return (folder / FOLDER).is_dir()


def write_cell(folder: Path, outcome: Searched | LeftOut) -> Path:
    """Keeps what came of a cell. Raises BadResultsError."""
    path = folder / FOLDER / f"{outcome.cell.key}.json"
    content: dict[str, Any] = {"version": VERSION, "cell": asdict(outcome.cell)}
    if isinstance(outcome, LeftOut):
        content["left_out"] = outcome.why
    else:
        content |= {
            "limit": outcome.limit,
            "found": asdict(outcome.found),
            "tries": [
                {"rate_rps": one.rate_rps, "missed": one.missed, "trial": to_json(one.trial, str(path))}
                for one in outcome.tries
            ],
        }
    _check(content, path)
    write_whole(path, json.dumps(content, indent=1) + "\n")
    return path


def read_cells(folder: Path) -> Kept:
    """Reads every cell; what cannot be read is named, not fatal. Raises BadResultsError where there are none to be."""
    if not is_scale(folder):
        raise BadResultsError(f"{folder}: not the results of a scale (it has no {FOLDER}/)")
    searched, left_out, problems = [], [], []
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            outcome = _read(path)
        except BadResultsError as error:
            problems.append(str(error).replace(str(path), f"{FOLDER}/{path.name}"))
            continue
        if isinstance(outcome, LeftOut):
            left_out.append(outcome)
        else:
            searched.append(outcome)
    by_cell = sorted(searched, key=lambda one: one.cell), sorted(left_out, key=lambda one: one.cell)
    return Kept(tuple(by_cell[0]), tuple(by_cell[1]), tuple(problems))


def _read(path: Path) -> Searched | LeftOut:
    content = read_json(path)
    _check(content, path)
    cell = Cell(**content["cell"])
    if "left_out" in content:
        return LeftOut(cell, content["left_out"])
    tries = tuple(Try(one["rate_rps"], one["missed"], from_json(one["trial"], str(path))) for one in content["tries"])
    return Searched(cell, Found(**content["found"]), tries, content["limit"])


@cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("cell.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _check(content: object, path: Path) -> None:
    error = jsonschema.exceptions.best_match(_validator().iter_errors(content))
    if error is not None:
        raise BadResultsError(f"{path}: at {error.json_path}: {' '.join(error.message.split())[:160]}")
