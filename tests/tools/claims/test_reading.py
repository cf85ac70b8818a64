"""Claims as files: every one that is here is valid, every line of the notes has one, and a mistake is named."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tools.claims.made import LEAST
from tools.claims import notes, reading
from tools.claims.reading import BadClaimError, claims
from tools.claims.selection import choose
from tools.status import PlainError

BLOCK = """
title: Who waits?
arms: {loop: {model: reactor}, threads: {model: thread_pool}}
load: {connections: [5, 20], rate_rps: 400}
mix: {innocent: {share: 9}, blocking: {share: 1, steps: [{block: {duration_us: 9}}]}}
"""
AT = {"at": {"connections": 20}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With an experiment `block`."""
    for name in ("statements", "experiments"):
        (tmp_path / name).mkdir()
    (tmp_path / "experiments" / "block.yaml").write_text(BLOCK)
    return tmp_path


def read(folder: Path, statistic: Mapping[str, Any] | None = None, **changes: Any) -> Any:
    """What the folder's one claim is read as."""
    content = {**LEAST, "statistic": {**LEAST["statistic"], **AT, **(statistic or {})}, **changes}
    path = folder / "statements" / "C12.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return claims(folder / "statements", folder / "experiments")


def test_a_claim_is_read(folder: Path) -> None:
    assert list(read(folder)) == ["C12"]


def test_every_claim_that_is_here_is_valid_and_every_line_of_the_notes_has_one() -> None:
    every = claims()
    without = [line for line in notes.read() if not any(line in claim.lines for claim in every.values())]
    assert not without
    unknown = {claim.claim: line for claim in every.values() for line in claim.lines if line not in notes.read()}
    assert not unknown


@pytest.mark.parametrize(
    ("statistic", "changes", "message"),
    [
        ({"measure": "latency"}, {}, "at $.statistic.measure: unknown measure latency; the measures are rate_rps"),
        ({"ratio": ["loop", "pool"]}, {}, "at $.statistic: the experiment has no arm pool; its arms are loop, threads"),
        ({"of": "guilty"}, {}, "at $.statistic.of: arm loop has no calls of kind guilty"),
        ({"value": "loop"}, {}, "at $.statistic: exactly one of value, ratio, difference and events is needed"),
        (
            {"ratio": ["loop", {"least": ["threads"], "arm": "loop"}]},
            {},
            "at $.statistic: an operand is either an arm or",
        ),
        ({"ratio": ["loop", {"least": ["loop", "pool"]}]}, {}, "at $.statistic: the experiment has no arm pool"),
        (
            {"ratio": ["loop", {"greatest": []}]},
            {},
            "at $.statistic.ratio[1].greatest: Expected `array` of length >= 1",
        ),
        ({"at": {}}, {}, "at $.statistic.at: `at` leaves 2 of 2 points, not 1"),
        ({"at": {"size": 3}}, {}, "at $.statistic: unknown axis size"),
        ({"over": "rate_rps"}, {}, "at $.statistic: `at` must leave one point for each value of rate_rps"),
        ({}, {"holds_if": {}}, "at $.holds_if: exactly one of at_least, at_most and within is needed"),
        ({}, {"holds_if": {"at_least": "five"}}, "at $.holds_if.at_least: Expected `float | null`, got `str`"),
        ({}, {"holds_if": {"within": [2, 1]}}, "at $.holds_if.within: the first number is above the second"),
        ({}, {"holds_if": {"at_least": math.nan}}, "at $.holds_if.at_least: a threshold must be a finite number"),
        ({}, {"holds_if": {"at_most": math.inf}}, "at $.holds_if.at_most: a threshold must be a finite number"),
        ({}, {"holds_if": {"within": [1, math.nan]}}, "at $.holds_if.within: a threshold must be a finite number"),
        ({}, {"claim": "C13"}, "at $.claim: C13 is not the name of its file"),
        ({}, {"experiment": "lock"}, "at $.experiment: no experiment and no counting 'lock'"),
        ({}, {"kind": "counted"}, "at $.kind: block is measured in rounds: set kind to measured"),
        ({}, {"threshold": 5}, "at $: Object contains unknown field `threshold`"),
        ({}, {"scope": None}, "at $: Object missing required field `scope`"),
        ({}, {"and": [{"statistic": {"value": "x"}, "holds_if": {"at_least": 1}}]}, "at $.and[0].statistic"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(
    folder: Path, statistic: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadClaimError) as raised:
        read(folder, statistic, **changes)
    line = str(raised.value)
    assert line.startswith(f"{folder}/statements/C12.yaml: {message}")
    assert "\n" not in line


def test_a_key_that_is_given_twice_is_a_mistake(folder: Path) -> None:
    read(folder)
    path = folder / "statements" / "C12.yaml"
    path.write_text(path.read_text() + "says: Something else.\n")
    with pytest.raises(BadClaimError, match=r"C12\.yaml: .*says"):
        claims(folder / "statements", folder / "experiments")


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [(["C12"], {"C12"}), (["L37"], {"C12"}), (["C17"], {"C17", "C17b", "C17c"}), (["C17b", "C12"], {"C12", "C17b"})],
)
def test_claims_are_chosen_by_id_or_by_line(asked: list[str], chosen: set[str]) -> None:
    assert {claim.claim for claim in choose(claims(), asked)} >= chosen


def test_an_unknown_claim_is_named() -> None:
    with pytest.raises(PlainError, match=r"^no claim 'C99': give `all`, an id such as C12 or a line such as L49"):
        choose(claims(), ["C99"])


def test_the_core_is_chosen_without_a_name() -> None:
    assert {"C12", "C36", "C24"} <= {claim.claim for claim in choose(claims(), [])}


def test_reading_every_claim_is_quick_enough_for_a_command(folder: Path) -> None:
    """Experiments are read once each, however many claims share them."""
    read(folder)
    reading._experiment.cache_clear()
    claims(folder / "statements", folder / "experiments")
    claims(folder / "statements", folder / "experiments")
    assert reading._experiment.cache_info().misses == 1
