"""What the checks of the engine share: their figures, the machine's processors, and how often a check compares."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.truth.figures import Figures
from tools import local
from tools.local import Pinning


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what `make truth COMPARISONS=6` sets."""
    parser.addoption("--comparisons", type=int, default=40, help="of each check that compares (40)")


@pytest.fixture
def comparisons(request: pytest.FixtureRequest) -> int:
    """How many comparisons a check makes."""
    number: int = request.config.getoption("--comparisons", default=40)
    return number


@pytest.fixture
def figures(capsys: pytest.CaptureFixture[str]) -> Iterator[Figures]:
    """Prints each figure beside the required one, and fails the check at its end where one is missed."""
    found = Figures(capsys)
    yield found
    assert not found.missed, "; ".join(found.missed)


@pytest.fixture
def pinning() -> Iterator[Pinning]:
    """One processor for the service, and the others for this process and the driver."""
    over = Pinning.over(os.sched_getaffinity(0))
    if over is None:
        pytest.skip("one processor: a driver that shares it with the service measures both")
    with local.running_on(over.others):
        yield over


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder."""
    for name in ("trials", "traces"):
        (tmp_path / name).mkdir()
    return tmp_path
