"""Puts the page together. Must not compute: every number comes ready from its own module."""

import json
from pathlib import Path

import yaml

from tools.answer import answer, compared_at, connections, leaders, ranking
from tools.families import grouped
from tools.report import calls, figures, folder, notices, picture, pods, table
from tools.report.definitions import DEFINITIONS
from tools.report.rendering import environment
from tools.results import write_whole
from tools.traces import port_forward

MOST_NAMED = 4
"""Of more models that tie, the list of leaders has only their number."""


def write(results: Path) -> Path:
    """As tools.report.write."""
    path = results / "report.html"
    write_whole(path, render(results))
    return path


def render(results: Path) -> str:
    """The report of a results folder as HTML. Raises BadResultsError where it is not one."""
    contents = folder.read(results)
    at = compared_at(contents.trials)
    ranked = ranking(contents.trials, at) if at is not None else []
    drawn, plot_problems = figures.figures(contents)
    cluster = contents.environment.get("cluster", {}) if contents.environment.get("jaeger") else {}
    shown, trace_problems = calls.shown_calls(results, ranked, cluster.get("run"))
    return (
        environment(contents.families)
        .get_template("report.html.j2")
        .render(
            name=results.resolve().name,
            started_at=min((trial.result.get("started_at", "") for trial in contents.trials), default=""),
            answer=answer(contents.trials),
            at=None if at is None else connections(at),
            leaders=[_lead(contents, number) for number in _measured(contents)],
            notices=[*notices.notices(contents), *plot_problems, *trace_problems],
            columns=table.shown(table.COLUMNS, contents.trials),
            every_column=table.shown(table.EVERY_COLUMN, contents.trials),
            rows=table.rows(ranked, contents.trials),
            every_row=table.rows(contents.trials, contents.trials),
            picture=picture.picture(contents),
            unmeasured=[f"{one.described}: {one.why}." for one in contents.unmeasured],
            families=grouped(contents.families),
            selected=[trial.arm for trial in leaders(ranked)] if ranked else [],
            figures=drawn,
            shown=shown,
            forward=port_forward(cluster["namespace"], contents.environment["jaeger"]) if cluster else None,
            spreads=pods.spreads(contents),
            environment=contents.environment,
            experiment=contents.experiment,
            plans=_plans(contents),
            definitions=DEFINITIONS,
        )
    )


def _lead(contents: folder.Contents, number: int) -> tuple[str, str, list[str]]:
    """Who serves most at one number of connections: (where, how they share the lead, models to name)."""
    best = [trial.arm for trial in leaders(ranking(contents.trials, number))]
    if not best:
        return connections(number), "none answered", []
    if len(best) > MOST_NAMED:
        return connections(number), f"{'all ' if len(best) == len(contents.families) else ''}{len(best)} tie", []
    return connections(number), "tie: " if len(best) > 1 else "", best


def _measured(contents: folder.Contents) -> list[int]:
    return sorted({trial.connections for trial in contents.trials})


def _plans(contents: folder.Contents) -> list[str]:
    """The plans that were sent, each once; more than one says that trials cannot be compared."""
    texts = {json.dumps(trial.result["plan"], sort_keys=True): trial.result["plan"] for trial in contents.trials}
    return [yaml.safe_dump(plan, sort_keys=False) for plan in texts.values()]
