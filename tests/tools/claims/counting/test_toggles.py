"""The counting of switched stages: every fault has its count. That a real seda has none its own tests prove."""

import pytest

from tools.claims.counting.toggles import SwitchOutcome, most_share

OK = {"OK": 4}
FAULTS = [
    (SwitchOutcome(4, [0, 1, 2, 3], OK, frozenset(), asked=4, switches=1), (0, 0, 0)),
    (SwitchOutcome(4, [0, 1, 3], {"OK": 3}, frozenset(), asked=4, switches=1), (1, 0, 0)),
    (SwitchOutcome(4, [0, 1, 2, 3], {"OK": 3, "UNAVAILABLE": 1}, frozenset(), asked=3, switches=1), (1, 0, 0)),
    (SwitchOutcome(4, [0, 1, 2, 3], OK, frozenset(), asked=6, switches=1), (0, 2, 0)),
    (SwitchOutcome(4, [0, 3, 1, 2], OK, frozenset(), asked=4, switches=1), (0, 0, 2)),
]


@pytest.mark.parametrize(("switched", "faults"), FAULTS)
def test_a_call_that_is_lost_doubled_or_overtaken_is_counted(
    switched: SwitchOutcome, faults: tuple[int, int, int]
) -> None:
    assert (switched.lost, switched.doubled, switched.reordered) == faults


def test_no_fault_in_6000_calls_leaves_a_share_below_a_twentieth_of_a_percent_possible() -> None:
    assert most_share(0, 6000) == pytest.approx(0.0005, rel=0.01)
    assert most_share(3, 6000) > most_share(0, 6000)
    assert most_share(4, 4) == 1
