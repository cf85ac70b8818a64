"""How a service scales along the grid: the law where there are points enough, and the reason where not."""

from pathlib import Path

import pytest

from tests.tools.scale.sample import make
from tools.scale.curves import directions
from tools.scale.figures import direction_text
from tools.scale.results import read_cells


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("grid"))


def test_the_contention_that_was_built_in_is_found_again(folder: Path) -> None:
    (quarter, *_) = directions(read_cells(folder).searched, "cpu-bound")
    assert (quarter.label, quarter.unit) == ("N x 0.25 CPUs", "replicas")
    for curve in quarter.curves:
        assert curve.n == (1, 2, 3, 4, 6, 8)
        assert curve.fitted is not None, curve.refused
        assert curve.fitted.sigma.includes(0.1)
        assert "sigma 0.1" in direction_text(curve) or "sigma 0.0" in direction_text(curve)


def test_a_row_with_few_points_says_why_there_is_no_law(folder: Path) -> None:
    by_label = {direction.label: direction for direction in directions(read_cells(folder).searched, "cpu-bound")}
    (curve, *_) = by_label["1 x N CPUs"].curves
    assert curve.n == (0.25, 0.5, 1)
    assert direction_text(curve) == "no law fitted: 3 different N, but a fit of three parameters needs 6."


def test_speed_up_counts_from_the_fewest(folder: Path) -> None:
    (_, half, *_) = directions(read_cells(folder).searched, "io-bound")
    coroutines = next(curve for curve in half.curves if curve.service == "coroutines")
    assert coroutines.alone == pytest.approx(1500, rel=0.06)
