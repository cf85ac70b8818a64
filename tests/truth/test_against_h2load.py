"""The driver beside other clients, in turn against one server: the same latencies, and as high a rate from one CPU."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.truth.figures import Figures
from tests.truth.runs import run_all
from tools import experiment
from tools.bench import goals
from tools.bench.experiments import with_installed
from tools.local import Pinning
from tools.stats.line import interval

pytestmark = [pytest.mark.truth, pytest.mark.timeout(1800)]


def test_the_driver_agrees_with_other_clients(
    folder: Path, pinning: Pinning, figures: Figures, comparisons: int
) -> None:
    asked, missing = with_installed(experiment.read(experiment.path_of(goals.CLIENTS)))
    for why in missing:
        figures.note(f"not compared: {why}")
    trials, voids = run_all(replace(asked, rounds=max(3, comparisons // asked.blocks)), folder, pinning)
    for why in voids:
        figures.note(f"void: {why}")
    for found in goals.results({goals.CLIENTS: trials}):
        if found.got is not None:
            figures.check(f"{found.what}, {found.at}", interval(found.got), found.asked, reached=bool(found.reached))
