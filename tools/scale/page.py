"""Puts a grid's page together. Must not compute: every number comes ready from its own module."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from tools import bundle, experiment
from tools.experiment import BadExperimentError
from tools.families import family, grouped
from tools.report.rendering import environment
from tools.report.table import TrialRow
from tools.results import BadResultsError
from tools.scale import figures, metrics, notices
from tools.scale.cells import SearchedCell, cells
from tools.scale.definitions import DEFINITIONS
from tools.scale.headline import answer, compared_at, cpus, interval, leaders, ranking
from tools.scale.results import StoredCells, read_cells
from tools.scale.table import COLUMNS, cells_of
from tools.scale.void import why_void, without_void


class GridAnswer(Protocol):
    """The answer to another question, from the cells of this grid."""

    @property
    def advice(self) -> str:
        """Sentences."""

    @property
    def rows(self) -> Sequence[Sequence[str]]:
        """Of a table."""

    @property
    def notes(self) -> Sequence[str]:
        """What they rest on; a line each."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What the page begins with where its grid was made for another question."""

    columns: Sequence[str]
    answer: GridAnswer


Leading = Callable[[StoredCells], Lead | None]


def render(results: Path, leading: Leading | None = None) -> str:
    """The page of a grid's results folder as HTML. Raises BadResultsError where it is not one."""
    try:
        asked = experiment.read(results / "experiment.yaml")
    except BadExperimentError as error:
        raise BadResultsError(str(error)) from error
    if asked.scale is None:
        raise BadResultsError(f"{results / 'experiment.yaml'}: has no `scale`")
    stored = read_cells(results)
    lead = leading(stored) if leading is not None and stored.searched else None
    void = [why for one in stored.searched if (why := why_void(one))]
    stored = without_void(stored)
    at = None if lead is not None else compared_at(stored.searched)
    families = {one.cell.service: family(one.cell.model) for one in stored.searched}
    tables = [(plan, _rows(stored, plan)) for plan in asked.scale.plans]
    return (
        environment(families, Path(__file__).parent)
        .get_template("scale.html.j2")
        .render(
            name=bundle.name(results),
            started_at=min((one.tries[0].trial.result.get("started_at", "") for one in stored.searched), default=""),
            answer=answer(stored.searched, asked, void) if lead is None else lead.answer.advice,
            lead=lead,
            leaders=[(plan, _lead(stored, plan, at)) for plan in asked.scale.plans] if at is not None else [],
            notices=notices.notices(
                stored, cells(asked, asked.models or sorted({one.cell.model for one in stored.searched}))
            ),
            columns={key: title for key, title in COLUMNS.items() if key != "service"},
            rows=stored.searched,
            tables=tables,
            families=grouped(families),
            figures=[(plan, figures.figures(stored, plan)) for plan in asked.scale.plans],
            environment=_environment(results),
            experiment=(results / "experiment.yaml").read_text(encoding="utf-8"),
            plans=[
                f"# {name}\n{yaml.safe_dump(dict(plan), sort_keys=False)}" for name, plan in asked.scale.plans.items()
            ],
            definitions=DEFINITIONS,
        )
    )


def _rows(stored: StoredCells, plan: str) -> list[TrialRow]:
    """By size, the largest first, and within one size those that serve most first."""
    best = max((metrics.middle_rps(one) or 0.0 for one in stored.searched if one.cell.plan == plan), default=0.0)
    rows = []
    for size in sorted({one.cell.total_cpus for one in stored.searched if one.cell.plan == plan}, reverse=True):
        ranked = ranking(stored.searched, plan, total_cpus=size)
        leading = leaders(ranked)
        rows += [
            TrialRow(
                arm=one.cell.service,
                cells={**cells_of(one), "total": cpus(size)},
                leads=one in leading,
                rate_share=(metrics.middle_rps(one) or 0.0) / best if best else 0.0,
                failed=one.found.met_rps is None,
            )
            for one in ranked
        ]
    return rows


def _lead(stored: StoredCells, plan: str, at: float) -> list[tuple[SearchedCell, str]]:
    return [(one, interval(one)) for one in leaders(ranking(stored.searched, plan, total_cpus=at))]


def _environment(results: Path) -> Any:
    try:
        return json.loads((results / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
