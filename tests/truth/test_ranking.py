"""A model that turns clients away is never ranked above one that serves all of them."""

from pathlib import Path

import pytest

from tests.truth.figures import Figures
from tests.truth.runs import run_all
from tools.experiment import Arm, Experiment, Load
from tools.local import Pinning
from tools.standings import standings

pytestmark = [pytest.mark.truth, pytest.mark.timeout(120)]

LOOPS = {
    "closed": Load(connections=(100,), streams=(1,), timeout_s=1),
    "open": Load(connections=(100,), rate_rps=(300,), timeout_s=1),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_serves_1_of_100_clients_is_never_above_one_that_serves_all(
    loop: str, folder: Path, pinning: Pinning, figures: Figures
) -> None:
    asked = Experiment(
        title="Who serves all?",
        arms={name: Arm(model=name) for name in ("iterative", "reactor")},
        load=LOOPS[loop],
        warmup_s=0.2,
        duration_s=2,
        rounds=3,
        trace_ratio=0,
    )
    # That others use the machine does not change who is served.
    trials, _ = run_all(asked, folder, pinning, despite_noise=True)
    (at,) = standings(trials)
    figures.check(
        f"ranks at 100 clients, {loop} loop",
        ", ".join(f"{one.arm} {one.rank} {one.why}".rstrip() for one in at.standings),
        "reactor best, iterative unranked",
        reached=[(one.arm, one.rank) for one in at.standings] == [("reactor", "best"), ("iterative", "unranked")],
    )
