"""An arm compared with itself: from its slices, or from second trials; what the answer and --strict make of it."""

import random
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.tools import driven, sample
from tools import experiment
from tools.aa import self_ratio
from tools.experiment import Experiment
from tools.headline import answer, cannot_distinguish, excludes_1
from tools.results import StoredTrials, Trial, TrialId, read_trials, write_trial
from tools.standings import standings
from tools.trial_specs import still_to_make, trials

TWO = """
title: Which?
arms: {reactor: {model: reactor}, pool: {model: thread_pool}}
load: {connections: [10]}
plan: {}
duration_s: 0.25
rounds: 3
"""


def asked(text: str = TWO) -> Experiment:
    return experiment.parse(text, "test")


def made(text: str, *, noise: float = 0.02, again: float = 1.0) -> StoredTrials:
    """The trials of that experiment. `again`: the speed of the second trials."""
    found = []
    for each in still_to_make(asked(text), (), twice=True):
        speed = {"reactor": 1.5}.get(each.id.arm, 1.0) * (again if each.id.again else 1.0)
        found.append(driven.trial(asked(text), each, speed, random.Random(str(each.id)), noise))
    first, second = ([each for each in found if each.id.again is is_again] for is_again in (False, True))
    return StoredTrials(tuple(first), (), again=tuple(second))


def line(found: StoredTrials) -> str:
    (at,) = standings(found.trials)
    return cannot_distinguish(at, found.trials, found.again)


def test_with_one_block_an_arm_is_measured_twice_at_a_place_that_chance_chooses() -> None:
    wanted = still_to_make(asked(), (), twice=True)
    assert [each.id for each in wanted if not each.id.again] == [each.id for each in trials(asked())]
    assert [(each.id.arm, each.id.round) for each in wanted if each.id.again] == [("reactor", n) for n in (1, 2, 3)]
    many = asked(TWO.replace("rounds: 3", "rounds: 20"))
    places = {index % 3 for index, each in enumerate(still_to_make(many, (), twice=True)) if each.id.again}
    assert places == {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "twice"),
    [(TWO, False), (f"{TWO}blocks: 8\n", True), (TWO.replace(", pool: {model: thread_pool}", ""), True)],
    ids=["a target that does not alternate", "several blocks", "one arm"],
)
def test_no_arm_is_measured_twice_where_that_is_of_no_use(text: str, twice: bool) -> None:
    assert still_to_make(asked(text), (), twice=twice) == trials(asked(text))


def test_a_resumed_run_makes_second_trials_only_beside_first_ones() -> None:
    kept = [each.id for each in trials(asked()) if each.id.round != 2]
    left = {str(each.id) for each in still_to_make(asked(), kept, twice=True)}
    assert left == {"reactor-10-2", "reactor-10-2-again", "pool-10-2"}


def test_a_second_trial_has_a_name_and_a_file_of_its_own_and_is_no_arm(tmp_path: Path) -> None:
    second = replace(sample.trial("reactor", 10), id=TrialId("reactor", "10", 2, again=True))
    assert write_trial(tmp_path, second) == tmp_path / "again" / "reactor-10-2-again.json"
    write_trial(tmp_path, sample.trial("reactor", 10))
    found = read_trials(tmp_path)
    assert found.again == (second,)
    assert [trial.id for trial in found.trials] == [TrialId("reactor", "10")]
    assert TrialId.parse(str(second.id)) == second.id


@pytest.mark.parametrize(
    ("text", "pairs"), [(TWO, 3), (f"{TWO}blocks: 8\n", 12)], ids=["second trials", "halves of the slices"]
)
def test_the_line_has_the_ratio_and_its_basis(text: str, pairs: int) -> None:
    found = made(text)
    said = line(found)
    assert said.startswith("A/A: the same arm against itself at 10 connections: ")
    assert said.endswith(f"(rate of reactor, {pairs} pairs, 3 starts).")
    assert not excludes_1(found)
    assert "against itself" not in answer(found.trials, again=found.again)


def test_an_arm_that_seems_to_differ_from_itself_comes_first_in_the_answer() -> None:
    found = made(TWO, noise=0.002, again=1.2)
    assert excludes_1(found)
    assert answer(found.trials, again=found.again).startswith(
        "Do not trust this run, because it shows a difference that does not exist: the same arm against itself at 10 "
        "connections: 0.83"
    )


def test_without_a_pair_there_is_no_line() -> None:
    found = made(TWO)
    assert line(StoredTrials(found.trials, ())) == ""
    assert not excludes_1(StoredTrials((), ()))


def test_halves_of_equal_noise_rarely_exclude_1_and_drift_does_not_change_that() -> None:
    """At most 1 % of 99 % intervals should. The machine becomes 5 % slower from block to block."""
    dice = Random(1)
    excluded = sum(_excludes_1(dice, drift) for drift in (0.0, -0.05) for _ in range(150))
    assert excluded <= 9  # 3 are expected; more than 9 have a chance of 1 in 1,000


def _excludes_1(dice: Random, drift: float) -> bool:
    seed, one = dice.random(), sample.trial("reactor", 10)
    found = [_round(one, f"{seed} {arm} {number}", arm, number, drift) for arm in ("a", "b") for number in (1, 2, 3)]
    (at,) = standings(found)
    itself = self_ratio(at, found, ())
    assert itself is not None
    return itself.excludes_1


def _round(one: Trial, seed: str, arm: str, number: int, drift: float) -> Trial:
    dice = Random(seed)
    rates = [round(1e5 * dice.lognormvariate(drift * block, 0.1)) for block in range(8)]
    slices = [{"answered": rate, "started_monotonic_ns": 0, "ended_monotonic_ns": 10**9} for rate in rates]
    return replace(one, id=TrialId(arm, "10", number), result={**one.result, "slices": slices})
