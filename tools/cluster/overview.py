"""The runs that a cluster stores, in a line each: how many of the wanted trials or cells have stored a result.

Must not fetch the results.
"""

from dataclasses import dataclass

from tools import experiment
from tools.cluster import store
from tools.cluster.api import Api
from tools.cluster.store import StoredRun
from tools.experiment import BadExperimentError
from tools.scale.cells import cells
from tools.trial_specs import trials


@dataclass(frozen=True, slots=True)
class Overview:
    """A run in a line."""

    run: str
    began: str
    """RFC 3339."""
    title: str
    things: str
    """Trials, or cells."""
    done: int
    """Those that have stored something."""
    asked: int | None
    """None if it is not known."""


def overview(api: Api, release: str) -> list[Overview]:
    """All runs of that release, the oldest first. Raises ClusterError."""
    contents = store.contents(api, release)
    known = store.runs(api, release)
    found = [_of(run, len(contents[run.name].things) if run.name in contents else 0) for run in known]
    names = {run.name for run in known}
    found += [
        Overview(run, there.began, "", "trials", len(there.things), None)
        for run, there in contents.items()
        if run not in names and store.search_of(run) not in names
    ]
    return sorted(found, key=lambda run: run.began)


def _of(run: StoredRun, done: int) -> Overview:
    try:
        asked = experiment.parse(run.files.get("experiment.yaml", ""), run.name)
    except BadExperimentError as error:
        return Overview(run.name, run.began, f"its experiment cannot be read: {error}", "things", done, None)
    models = asked.models
    if asked.scale is not None:
        return Overview(run.name, run.began, asked.title, "cells", done, len(cells(asked, models)))
    # An experiment of claims gets more rounds than it began with if claims are still open.
    return Overview(run.name, run.began, asked.title, "trials", done, max(len(trials(asked)), done))
