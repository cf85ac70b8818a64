"""A grid's run: each cell is searched on its own replicas and stored, and a failure does not stop the next one."""

from pathlib import Path

import pytest

from tests.tools.scale.sample import ASKED, Deployer, Notes, asked, capacity_rps
from tools.results import BadResultsError
from tools.scale.cells import Cell, OmittedCell, SearchedCell, cells
from tools.scale.results import read_cells
from tools.scale.run import run

MODELS = ["coroutines", "thread_pool"]


def test_each_cell_is_found_to_serve_what_it_can(tmp_path: Path) -> None:
    experiment, notes = asked(tmp_path), Notes()
    run(experiment, cells(experiment, MODELS), Deployer(), tmp_path, notes)
    searched = [one for one in notes.outcomes if isinstance(one, SearchedCell)]
    assert len(searched) > 50
    for one in searched:
        assert one.found.met_rps is not None
        assert one.found.missed_rps is not None
        assert one.found.met_rps <= capacity_rps(one.cell) < one.found.missed_rps
        assert one.best is not None
        assert one.best.result["asked"]["rate_rps"] == one.found.met_rps


def test_all_trials_of_a_cell_load_the_same_replicas(tmp_path: Path) -> None:
    experiment, deployer, notes = asked(tmp_path), Deployer(), Notes()
    wanted = cells(experiment, MODELS)[:2]
    run(experiment, wanted, deployer, tmp_path, notes)
    assert [cell for cell, _ in deployer.deployments] == wanted
    assert len(notes.tries) > len(wanted)


def test_a_cells_workers_are_an_option_of_its_service(tmp_path: Path) -> None:
    deployer = Deployer()
    cell = Cell("cpu-bound", "thread_pool", "threads_per_cpu=8", 1, 0.5)
    run(asked(tmp_path), [cell], deployer, tmp_path, Notes())
    assert deployer.deployments == [(cell, {"threads_per_cpu": "8"})]


def test_what_the_ground_has_no_room_for_is_left_out_with_the_reason_and_not_asked_again(tmp_path: Path) -> None:
    deployer, notes = Deployer(), Notes()
    cell = Cell("cpu-bound", "coroutines", "", 4, 1.0)
    run(asked(tmp_path), [cell], deployer, tmp_path, notes)
    assert notes.outcomes == [OmittedCell(cell, "needs 4 CPUs")]
    assert deployer.kept == [cell]
    assert cell in read_cells(tmp_path).cells


def test_a_cell_that_fails_is_told_with_its_cause_and_the_next_one_runs(tmp_path: Path) -> None:
    experiment, notes = asked(tmp_path), Notes()
    first, second = cells(experiment, MODELS)[:2]
    run(experiment, [first, second], Deployer(lambda cell: 0 if cell == first else 500), tmp_path, notes)
    assert notes.failures == {first: "no image"}
    assert read_cells(tmp_path).cells == {second}
    assert read_cells(tmp_path).failed == ((first.key, "no image"),)


def test_a_cell_whose_trial_cannot_be_judged_fails_with_that_and_is_not_kept_as_a_miss(tmp_path: Path) -> None:
    text = ASKED.replace("start_rps: 400", "start_rps: 400, highest_rps: 40")
    experiment, notes = asked(tmp_path, text), Notes()
    (cell, *_) = cells(experiment, MODELS)
    run(experiment, [cell], Deployer(), tmp_path, notes)
    assert notes.failures == {cell: "80 calls were made, but a p99 needs 100: set a longer duration_s"}
    assert not list((tmp_path / "cells").glob("*.json"))


def test_a_cell_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    experiment, notes = asked(tmp_path), Notes()
    run(experiment, cells(experiment, MODELS)[:3], Deployer(), tmp_path, notes)
    assert list(read_cells(tmp_path).searched) == sorted(notes.outcomes, key=lambda one: one.cell)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("{", "not JSON"), ("{}", "'version' is a required property"), ('{"version": 2}', "at $")],
)
def test_a_file_that_is_no_cell_is_named_and_the_others_are_read(tmp_path: Path, content: str, complaint: str) -> None:
    experiment = asked(tmp_path)
    run(experiment, cells(experiment, MODELS)[:1], Deployer(), tmp_path, Notes())
    (tmp_path / "cells/odd.json").write_text(content)
    kept = read_cells(tmp_path)
    assert len(kept.searched) == 1
    (problem,) = kept.problems
    assert problem.startswith("cells/odd.json: ")
    assert complaint in problem


def test_a_folder_without_cells_is_no_grid(tmp_path: Path) -> None:
    with pytest.raises(BadResultsError, match="not the results of a scale"):
        read_cells(tmp_path)


def test_a_search_begins_where_a_like_cell_ended(tmp_path: Path) -> None:
    """Plans `a` and `b` are alike, `c` is not; of the cells with as many CPUs the last one counts."""
    like = "{steps: [{compute: {rounds: 100}}]}"
    text = (
        f"title: Which?\nmodels: [coroutines]\nconnections: [8]\nduration_s: 2\narrival: poisson\n"
        f"scale: {{plans: {{a: {like}, b: {like}, c: {{steps: [{{compute: {{rounds: 9}}}}]}}}}, replicas: [1], "
        "cpus: [0.5, 1], search: {start_rps: 400, within: 1.05, trials: 20}}\n"
    )
    question, notes = asked(tmp_path, text), Notes()
    run(question, cells(question, ["coroutines"]), Deployer(lambda cell: 1000 * cell.cpus), tmp_path, notes)
    found = {(one.cell.plan, one.cell.cpus): one for one in notes.outcomes if isinstance(one, SearchedCell)}
    first = {place: one.tries[0].rate_rps for place, one in found.items()}
    met = {place: one.found.met_rps or 0.0 for place, one in found.items()}
    assert first["a", 0.5] == first["c", 0.5] == 200  # 400 for each CPU, halved
    assert first["a", 1] == pytest.approx(2 * met["a", 0.5])
    assert first["b", 0.5] == pytest.approx(met["a", 0.5])
    assert first["b", 1] == pytest.approx(met["a", 1])
    assert len(found["b", 1].tries) < len(found["a", 0.5].tries) / 2
