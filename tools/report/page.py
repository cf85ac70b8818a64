"""Puts the page together. Must not compute: every number comes ready from its own module."""

import json
from pathlib import Path

import yaml

from tools import bundle
from tools.families import grouped
from tools.headline import answer, cannot_distinguish
from tools.report import axes, calls, figures, folder, kinds, notices, picture, pods, table
from tools.report.definitions import DEFINITIONS
from tools.report.rendering import environment
from tools.results import write_whole
from tools.standings import PointStandings, compared
from tools.traces import port_forward

MOST_NAMED = 4
"""If more models tie, the list of leaders has only their number."""


def write(results: Path) -> Path:
    """As tools.report.write."""
    path = results / "report.html"
    write_whole(path, render(results))
    return path


def render(results: Path) -> str:
    """The report of a results folder as HTML. Raises BadResultsError where it is not one."""
    contents = folder.read(results)
    at = compared(contents.points)
    found = at.standings if at else ()
    drawn, plot_problems = figures.plots(contents)
    over = axes.along(contents.asked)
    cluster = contents.environment.get("cluster", {}) if contents.environment.get("jaeger") else {}
    shown, trace_problems = calls.shown_calls(results, [one.trial for one in found], cluster.get("run"))
    return (
        environment(contents.families)
        .get_template("report.html.j2")
        .render(
            name=bundle.name(results),
            started_at=min((trial.result.get("started_at", "") for trial in contents.trials), default=""),
            answer=answer(contents.rounds, contents.void, contents.arms, failed=contents.failed, again=contents.again),
            itself=cannot_distinguish(at, contents.rounds, contents.again),
            at=at and at.described,
            leaders=[_lead(each) for each in contents.points],
            notices=[*notices.notices(contents), *plot_problems, *trace_problems],
            columns=table.shown(table.COLUMNS, contents.trials),
            every_column=table.shown(table.EVERY_COLUMN, contents.trials),
            rows=table.rows(found, contents.trials),
            every_row=table.rows([one for each in contents.points for one in each.standings], contents.trials),
            picture=picture.picture(contents),
            pictures=[] if over else picture.of_one_point(contents),
            kinds=kinds.kinds(contents, at) if at else None,
            unmeasured=[f"{one.described}: {one.why}." for one in contents.unmeasured],
            families=grouped(contents.families),
            selected=[one.arm for one in at.best] if at else [],
            plots=drawn,
            over=axes.WORDS[over].over if over else "",
            shown=shown,
            forward=port_forward(cluster["namespace"], contents.environment["jaeger"]) if cluster else None,
            spreads=pods.spreads(contents),
            environment=contents.environment,
            experiment=contents.experiment,
            plans=_plans(contents),
            definitions=DEFINITIONS,
        )
    )


def _lead(at: PointStandings) -> tuple[str, str, list[str]]:
    """Which arms are best at one point: (where, how they share the lead, arms to name)."""
    best = [one.arm for one in at.best]
    if not best:
        return at.described, "none can be ranked", []
    if len(best) > MOST_NAMED:
        every = "all " if len(best) == len(at.standings) else ""
        return at.described, f"{every}{len(best)} cannot be distinguished", []
    return at.described, "cannot be distinguished: " if len(best) > 1 else "", best


def _plans(contents: folder.Contents) -> list[str]:
    """The plans that were sent, each once. More than one means that trials cannot be compared."""
    texts = {json.dumps(trial.result["plan"], sort_keys=True): trial.result["plan"] for trial in contents.trials}
    return [yaml.safe_dump(plan, sort_keys=False) for plan in texts.values()]
