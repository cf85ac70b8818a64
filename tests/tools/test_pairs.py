"""The lines of pairs, beside the answer about the same trials."""

import numpy as np

from tests.tools.test_headline import of
from tools.headline import answer
from tools.pairs import lines
from tools.standings import standings


def test_a_pair_is_not_faster_where_the_answer_cannot_tell_it_apart() -> None:
    """Alone, the interval of this pair is clear of 1; the correction for ten arms leaves no difference."""
    dice = np.random.default_rng(6)
    trials = [one for arm in "abcdefghij" for one in of(arm, *(1000 * np.exp(dice.normal(0, 0.03, 5))).tolist())]
    (at,) = standings(trials)
    assert "the 10 arms cannot be distinguished" in answer(trials)
    found = list(lines(at))
    assert len(found) == 9
    assert all("not distinguishable" in line for line in found)


def test_a_pair_without_a_common_block_has_a_line_where_there_is_no_doubt() -> None:
    first, second = of("a", 900, 900, 1, 1)[:2], of("b", 1, 1, 100, 100)[2:]
    (at,) = standings([*first, *second])
    assert list(lines(at)) == ["a / b   rate   no common block: faster: all values, unpaired, by more than 2 times"]
