"""The grid: which cells there are, in which order, and what they are called."""

from pathlib import Path

import pytest

from tests.tools.scale.sample import asked
from tools import experiment
from tools.scale.cells import Cell, cells, scale_of

CELL = Cell("cpu-bound", "thread_pool", "threads_per_cpu=8", 4, 0.25)


def test_every_combination_is_a_cell_but_those_with_too_many_cpus(tmp_path: Path) -> None:
    found = cells(asked(tmp_path), ["coroutines", "thread_pool"])
    # 16 of the 18 shapes have 4 CPUs or fewer; the pool has two worker counts, and there are two plans.
    assert len(found) == len(set(found)) == 16 * 3 * 2
    assert max(cell.total_cpus for cell in found) == 4


def test_what_is_compared_is_measured_one_after_the_other(tmp_path: Path) -> None:
    found = cells(asked(tmp_path), ["coroutines", "thread_pool"])
    sizes = [(cell.plan, cell.total_cpus) for cell in found]
    assert sizes == sorted(sizes)
    one_cpu = [(cell.shape, cell.service) for cell in found if cell.plan == "cpu-bound" and cell.total_cpus == 1]
    services = ["coroutines", "thread_pool threads_per_cpu=8", "thread_pool threads_per_cpu=64"]
    assert one_cpu == [(shape, service) for shape in ("1 x 1", "2 x 0.5", "4 x 0.25") for service in services]


def test_a_cell_is_named_by_all_that_sets_it_apart() -> None:
    assert CELL.key == "cpu-bound-thread_pool-threads_per_cpu=8-4x0.25"
    assert (CELL.total_cpus, CELL.options) == (1, {"threads_per_cpu": "8"})
    plain = Cell("cpu-bound", "coroutines", "", 1, 1.0)
    assert (plain.key, plain.service, plain.options) == ("cpu-bound-coroutines-1x1", "coroutines", {})


def test_limits_add_up_without_the_dirt_of_binary_fractions() -> None:
    assert Cell("p", "m", "", 3, 0.1).total_cpus == 0.3


def test_an_experiment_without_a_grid_has_no_cells() -> None:
    with pytest.raises(ValueError, match="no `scale`"):
        scale_of(experiment.read(experiment.path_of("smoke")))


def test_the_default_grid_has_a_diagonal_of_one_size_and_both_kinds_of_plan() -> None:
    default = experiment.read(experiment.path_of("scale"))
    found = cells(default, list(default.models))
    assert {cell.shape for cell in found if cell.total_cpus == 1} >= {"1 x 1", "2 x 0.5", "4 x 0.25"}
    assert len({cell.plan for cell in found}) == 2
