"""A grid obeys the checks of a run: a void cell has no figure, and a trial that is broken is repeated once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.scale.sample import Deployer, Notes, asked, make
from tools import bundle
from tools.results import Trial
from tools.scale.cells import Cell, SearchedCell, cells
from tools.scale.headline import answer
from tools.scale.page import render
from tools.scale.results import read_cells
from tools.scale.run import MakeTrial, run
from tools.scale.void import why_void, without_void
from tools.verify import verify

BUSY = "other processes took 50 % of the service's CPUs"


class Spoilt(Deployer):
    """Each trial of some cells is changed."""

    def __init__(self, spoil: Callable[[Trial], Trial], of: str = "coroutines") -> None:
        super().__init__()
        self.spoil, self.of = spoil, of

    @contextmanager
    def deployed(self, cell: Cell, options: dict[str, str | float]) -> Iterator[MakeTrial]:
        with super().deployed(cell, options) as load:
            yield lambda asked: self.spoil(load(asked)) if cell.model == self.of else load(asked)


def busy(trial: Trial) -> Trial:
    return replace(trial, others_share=0.5)


class BreakOnce:
    """The first trial that it is given lost a call."""

    def __init__(self) -> None:
        self.trials = 0

    def __call__(self, trial: Trial) -> Trial:
        self.trials += 1
        return lose_a_call(trial) if self.trials == 1 else trial


def lose_a_call(trial: Trial) -> Trial:
    calls = trial.result["calls"]
    return replace(trial, result={**trial.result, "calls": {**calls, "planned": calls["planned"] + 1}})


def test_a_void_cell_is_left_out_with_its_reason(tmp_path: Path) -> None:
    kept = read_cells(make(tmp_path, deployer=Spoilt(busy)))
    judged = without_void(kept)
    assert {one.cell.model for one in judged.searched} == {"thread_pool"}
    void = {one.why for one in judged.left_out if one.cell.model == "coroutines" and one.why.startswith("void")}
    assert void == {f"void: {BUSY}"}
    page = render(tmp_path).replace("\u00a0", " ")
    assert f": void: {BUSY}." in page.replace("&#39;", "'")


def test_without_a_cell_that_is_a_result_the_answer_has_the_reason(tmp_path: Path) -> None:
    assert answer((), asked(tmp_path), [BUSY]) == f"No answer: every cell is void. The first one: {BUSY}."


@pytest.mark.parametrize(("despite_noise", "why"), [(False, BUSY), (True, "")])
def test_noise_makes_no_cell_void_despite_noise(tmp_path: Path, despite_noise: bool, why: str) -> None:
    experiment, notes = asked(tmp_path), Notes()
    (cell, *_) = cells(experiment, ["coroutines"])
    run(experiment, [cell], Spoilt(busy), tmp_path, notes, despite_noise=despite_noise)
    (one,) = read_cells(tmp_path).searched
    assert why_void(one) == why
    assert all(bool(each.trial.waived) is despite_noise for each in one.tries)


def test_a_trial_that_is_not_the_one_that_was_asked_for_is_repeated_once(tmp_path: Path) -> None:
    experiment, notes, spoil = asked(tmp_path), Notes(), BreakOnce()
    (cell, *_) = cells(experiment, ["coroutines"])
    run(experiment, [cell], Spoilt(spoil), tmp_path, notes)
    (one,) = [each for each in notes.outcomes if isinstance(each, SearchedCell)]
    assert spoil.trials == len(one.tries) + 1
    assert not why_void(one)


def test_a_cell_whose_figures_are_those_of_a_broken_trial_is_void(tmp_path: Path) -> None:
    experiment = asked(tmp_path)
    (cell, *_) = cells(experiment, ["coroutines"])
    run(experiment, [cell], Spoilt(lose_a_call), tmp_path, Notes())
    (one,) = read_cells(tmp_path).searched
    assert " calls were planned, but the result has " in why_void(one)


def test_verify_counts_void_and_failed_cells(tmp_path: Path) -> None:
    experiment = asked(tmp_path)
    first, second, third = cells(experiment, ["coroutines"])[:3]
    run(experiment, [first], Spoilt(busy), tmp_path, Notes())
    run(experiment, [second], Deployer(lambda _: 0), tmp_path, Notes())
    run(experiment, [third], Deployer(), tmp_path, Notes())
    bundle.close(tmp_path, 1)
    what, _ = verify(tmp_path)
    assert what == "2 cells, 1 void, 1 failed"
