"""Cells on disk: a file each, written whole or not at all, and checked against the schema both ways."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from tools.results import FAILED, BadResultsError, read_json, write_whole
from tools.results import from_json as trial_from_json
from tools.results import to_json as trial_to_json
from tools.scale.cells import Cell, OmittedCell, SearchedCell, Try
from tools.scale.search import SearchResult

VERSION = 1
FOLDER = "cells"


@dataclass(frozen=True, slots=True)
class StoredCells:
    """What a results folder holds of a grid."""

    searched: tuple[SearchedCell, ...]
    left_out: tuple[OmittedCell, ...]
    problems: tuple[str, ...]
    """One line for each file that could not be read."""
    failed: tuple[tuple[str, str], ...] = ()
    """The key of each cell that was begun and failed, and why, in one line."""

    @property
    def outcomes(self) -> dict[Cell, SearchedCell | OmittedCell]:
        """The outcomes of all cells that need not run again."""
        searched: dict[Cell, SearchedCell | OmittedCell] = {one.cell: one for one in self.searched}
        return searched | {one.cell: one for one in self.left_out}

    @property
    def cells(self) -> set[Cell]:
        """Those of the outcomes."""
        return set(self.outcomes)


def is_scale(folder: Path) -> bool:
    """Whether a results folder is that of a grid, not of trials."""
    return (folder / FOLDER).is_dir()


def write_cell(folder: Path, outcome: SearchedCell | OmittedCell) -> Path:
    """Stores the outcome of a cell. Raises BadResultsError."""
    path = folder / FOLDER / f"{outcome.cell.key}.json"
    write_whole(path, json.dumps(to_json(outcome, str(path)), indent=1) + "\n")
    _failed_path(folder, outcome.cell).unlink(missing_ok=True)
    return path


def write_failed(folder: Path, cell: Cell, why: str) -> None:
    """Stores in one line why a cell failed. Raises BadResultsError."""
    write_whole(_failed_path(folder, cell), f"{FAILED}: {why}\n")


def _failed_path(folder: Path, cell: Cell) -> Path:
    return folder / FOLDER / f"{cell.key}.{FAILED}"


def to_json(outcome: SearchedCell | OmittedCell, where: str) -> dict[str, Any]:
    """A cell as cell.schema.json describes it. Raises BadResultsError, whose text begins with `where`."""
    content: dict[str, Any] = {"version": VERSION, "cell": asdict(outcome.cell)}
    if isinstance(outcome, OmittedCell):
        content["left_out"] = outcome.why
    else:
        content |= {
            "limit": outcome.limit,
            "found": asdict(outcome.found),
            "tries": [
                {"rate_rps": one.rate_rps, "missed": one.missed, "trial": trial_to_json(one.trial, where)}
                for one in outcome.tries
            ],
        }
    _check(content, where)
    return content


def read_cells(folder: Path) -> StoredCells:
    """Reads every cell; one that cannot be read is only named. Raises BadResultsError if the folder is no grid's."""
    if not is_scale(folder):
        raise BadResultsError(f"{folder}: not the results of a scale (it has no {FOLDER}/)")
    searched, left_out, problems = [], [], []
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            outcome = from_json(read_json(path), str(path))
        except BadResultsError as error:
            problems.append(str(error).replace(str(path), f"{FOLDER}/{path.name}"))
            continue
        if isinstance(outcome, OmittedCell):
            left_out.append(outcome)
        else:
            searched.append(outcome)
    by_cell = sorted(searched, key=lambda one: one.cell), sorted(left_out, key=lambda one: one.cell)
    failed = [
        (path.stem, path.read_text(encoding="utf-8", errors="replace").strip().removeprefix(f"{FAILED}: "))
        for path in sorted((folder / FOLDER).glob(f"*.{FAILED}"))
        if not path.with_suffix(".json").exists()
    ]
    return StoredCells(tuple(by_cell[0]), tuple(by_cell[1]), tuple(problems), tuple(failed))


def from_json(content: Any, where: str) -> SearchedCell | OmittedCell:
    """The reverse of `to_json`. Raises BadResultsError."""
    _check(content, where)
    cell = Cell(**content["cell"])
    if "left_out" in content:
        return OmittedCell(cell, content["left_out"])
    tries = tuple(Try(one["rate_rps"], one["missed"], trial_from_json(one["trial"], where)) for one in content["tries"])
    return SearchedCell(cell, SearchResult(**content["found"]), tries, content["limit"])


@cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("cell.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _check(content: object, where: str) -> None:
    error = jsonschema.exceptions.best_match(_validator().iter_errors(content))
    if error is not None:
        raise BadResultsError(f"{where}: at {error.json_path}: {' '.join(error.message.split())[:160]}")
