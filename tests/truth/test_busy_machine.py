"""A neighbour that takes the service's processor: no figure, but a reason."""

from pathlib import Path

import pytest

from tests.truth.figures import Figures
from tests.truth.runs import burning, run_all
from tools.experiment import Arm, Experiment, Load
from tools.local import Pinning

pytestmark = [pytest.mark.truth, pytest.mark.timeout(120)]

ASKED = Experiment(
    title="What does a neighbour do?",
    arms={"reactor": Arm(model="reactor")},
    load=Load(connections=(10,), streams=(1,)),
    warmup_s=0.2,
    duration_s=2,
    rounds=1,
    trace_ratio=0,
)


def test_a_process_that_burns_the_services_processor_makes_the_trial_void(
    folder: Path, pinning: Pinning, figures: Figures
) -> None:
    with burning(pinning):
        trials, voids = run_all(ASKED, folder, pinning)
    figures.check(
        "a trial beside a process that burns the service's processor",
        "; ".join(voids) or f"{len(trials)} trial kept",
        "void, as other processes took the processor",
        reached=not trials and all("other processes took" in why for why in voids),
    )
