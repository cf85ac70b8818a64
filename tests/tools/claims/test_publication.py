"""A run as one file: a reader derives the verdicts of the run from it, for every form of a statistic."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tools import driven
from tests.tools.claims.made import in_place, state
from tools import experiment
from tools.claims import claims_run, judged_run, publication, reading
from tools.results import BadResultsError, write_trial
from tools.trial_specs import trials

RACE = """
title: Which is faster?
arms: {hare: {model: reactor}, tortoise: {model: thread_pool}}
load: {connections: [5, 10]}
plan: {}
duration_s: 0.2
rounds: 3
"""
AT = {"measure": "rate_rps", "at": {"connections": 10}}


def at(arm: str, connections: int) -> dict[str, Any]:
    """As an operand."""
    return {"arm": arm, "at": {"connections": connections}}


FORMS: dict[str, dict[str, Any]] = {
    "value": {**AT, "value": "hare"},
    "ratio": {**AT, "ratio": ["hare", "tortoise"]},
    "difference": {**AT, "difference": ["hare", "tortoise"]},
    "events": {**AT, "measure": "calls_ok", "per": "calls_planned", "events": "hare"},
    "over": {"measure": "rate_rps", "over": "connections", "difference": ["hare", "tortoise"]},
    "ratio of ratios": {
        "measure": "rate_rps",
        "ratio": [{"ratio": [at(arm, 5), at(arm, 10)]} for arm in ("hare", "tortoise")],
    },
    "greatest and least": {**AT, "ratio": [{form: ["hare", "tortoise"]} for form in ("greatest", "least")]},
}
OLDER = "written by another version (0, not 1): export it again"


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> judged_run.JudgedRun:
    """A run with a claim of each form."""
    folder = tmp_path_factory.mktemp("claims")
    with pytest.MonkeyPatch.context() as patch:
        in_place(folder, patch, race=RACE)
        for number, statistic in enumerate(FORMS.values(), 1):
            state(folder, claim=f"C{number}", experiment="race", statistic=statistic)
        claims_run.register(folder / "run", list(reading.claims().values()), [])
    asked = experiment.parse(RACE, "race.yaml")
    for each in trials(asked):
        speed = 3.0 if each.id.arm == "hare" else 1.0
        trial = driven.trial(asked, each, speed, random.Random(str(each.id)))
        write_trial(folder / "run" / judged_run.RUNS / "race", trial)
    return judged_run.read(folder / "run")


@pytest.fixture
def path(claims: judged_run.JudgedRun, tmp_path: Path) -> Path:
    publication.write(tmp_path / "claims.json", claims)
    return tmp_path / "claims.json"


def test_every_form_has_the_figure_and_the_verdict_of_the_run(claims: judged_run.JudgedRun, path: Path) -> None:
    _, again = publication.read(path)
    assert [each.verdict for each in again.judged] == [each.verdict for each in claims.judged]
    assert all(each.verdict.figures[0] is not None for each in again.judged)


def test_an_operand_has_what_it_says_and_no_more(path: Path) -> None:
    first = json.loads(path.read_text())["claims"][0]
    assert first["claim"]["statistic"] == {**AT, "value": "hare"}
    (operand,) = first["readings"]
    assert json.loads(operand) == {**AT, "arm": "hare"}


def without_operand(content: dict[str, Any]) -> None:
    content["claims"][1]["readings"].popitem()


def without_round(content: dict[str, Any]) -> None:
    content["claims"][1]["readings"] = {key: value[:2] for key, value in content["claims"][1]["readings"].items()}


def without_place(content: dict[str, Any]) -> None:
    content["claims"][4]["places"].popitem()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda content: content.update(version=0), OLDER),
        (without_operand, "C2 lacks the 3 values of tortoise at 10 conn."),
        (without_round, "C2 lacks the 3 values of hare at 10 conn."),
        (without_place, "C5 lacks the 3 values of tortoise"),
    ],
    ids=["version", "operand", "round", "place"],
)
def test_a_file_that_is_not_whole_is_one_line(
    path: Path, spoil: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(BadResultsError) as raised:
        publication.read(path)
    assert str(raised.value) == f"{path}: {complaint}"
