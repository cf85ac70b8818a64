"""Puts the page together. Must not compute: every number comes ready from its own module."""

import dataclasses
import json
import re
from pathlib import Path

import jinja2
import markupsafe
import plotly.offline
import yaml

from tools.answer import answer, compared_at, connections, leaders, ranking
from tools.report import calls, figures, folder, notices, table
from tools.report.definitions import DEFINITIONS
from tools.report.look import looks
from tools.results import write_whole
from tools.units import duration


def write(results: Path) -> Path:
    """Writes `report.html` into a results folder and returns its path.

    Shows whatever the folder holds, and says what it lacks. Raises BadResultsError where it is not a
    results folder or cannot be written to.
    """
    path = results / "report.html"
    write_whole(path, render(results))
    return path


def render(results: Path) -> str:
    """The report of a results folder as HTML. Raises BadResultsError where it is not one."""
    contents = folder.read(results)
    at = compared_at(contents.trials)
    ranked = ranking(contents.trials, at) if at is not None else []
    look = looks(contents.models)
    plots, plot_problems = figures.plots(contents)
    shown, trace_problems = calls.shown_calls(results, ranked)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            name=results.resolve().name,
            started_at=min((trial.result.get("started_at", "") for trial in contents.trials), default=""),
            answer=answer(contents.trials),
            at=None if at is None else connections(at),
            leaders=[_lead(contents, number) for number in _measured(contents)],
            notices=[*notices.notices(contents), *plot_problems, *trace_problems],
            columns=table.COLUMNS,
            rows=table.rows(ranked, contents.trials, look),
            every_row=table.rows(contents.trials, contents.trials, look),
            looks=look,
            plots=plots,
            drawing={
                "looks": [dataclasses.asdict(one) for one in look.values()],
                "plots": [dataclasses.asdict(plot) for plot in plots],
            },
            shown=[(look[one.model], one) for one in shown],
            environment=contents.environment,
            experiment=contents.experiment,
            plans=_plans(contents),
            definitions=DEFINITIONS,
            plotly_js=plotly.offline.get_plotlyjs(),
        )
    )


def _lead(contents: folder.Contents, number: int) -> tuple[str, str, list[str]]:
    """Who serves most at one number of connections: (where, how they share the lead, models to name)."""
    best = [trial.model for trial in leaders(ranking(contents.trials, number))]
    if not best:
        return connections(number), "none answered", []
    if len(best) == len(contents.models) > 1:
        return connections(number), f"all {len(best)} tie", []
    return connections(number), "tie: " if len(best) > 1 else "", best


def _measured(contents: folder.Contents) -> list[int]:
    return sorted({trial.connections for trial in contents.trials})


def _plans(contents: folder.Contents) -> list[str]:
    """The plans that were sent, each once; more than one says that trials cannot be compared."""
    texts = {json.dumps(trial.result["plan"], sort_keys=True): trial.result["plan"] for trial in contents.trials}
    return [yaml.safe_dump(plan, sort_keys=False) for plan in texts.values()]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    # One unit and one number of decimals for the whole sum, so that a reader can add it up.
    environment.filters["ms"] = lambda ns: f"{ns / 1e6:,.2f}"
    environment.filters["per_cent"] = lambda part, whole: f"{max(0.0, part) / whole * 100:.3f}%" if whole else "0%"
    environment.filters["keep_units"] = lambda text: re.sub(r"(\d) (?=[^\W\d]|%)", "\\1\u00a0", text)
    environment.filters["breakable"] = lambda name: markupsafe.escape(name).replace("_", markupsafe.Markup("_<wbr>"))
    return environment
