"""What arms are compared by: a value for each slice, where it was measured in each."""

from dataclasses import replace

import pytest

from tests.tools import sample
from tools.stats.series import BlockId
from tools.values import cpus_ns

MADE = sample.trial("reactor", 10)
SLICES = [{"counted": 100}, {"counted": 0}, {"counted": 50}]


def test_the_cpu_time_of_a_call_is_known_for_each_slice_with_an_answer() -> None:
    trial = replace(MADE, result={**MADE.result, "slices": SLICES}, slices_cpu_ns=(2000, 500, 2500))
    assert cpus_ns(trial) == {BlockId(1, 0): 20.0, BlockId(1, 2): 50.0}


@pytest.mark.parametrize("known", [(), (2000,)])
def test_it_is_that_of_the_round_where_slices_do_not_have_it(known: tuple[int, ...]) -> None:
    trial = replace(MADE, result={**MADE.result, "slices": SLICES}, slices_cpu_ns=known)
    assert cpus_ns(trial) == cpus_ns(MADE)
    assert list(cpus_ns(trial)) == [BlockId(1, 0)]
