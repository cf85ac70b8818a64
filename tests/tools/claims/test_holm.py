"""Words that stay where all claims of a run share one error of 5 %."""

from collections.abc import Sequence

import pytest

from tests.tools.claims.made import Values, claim
from tools.claims import holm
from tools.claims.claims_run import RegisteredClaim
from tools.claims.decision import decide
from tools.claims.judged_run import JudgedClaim

FAR, NEAR, NOWHERE = (10.0, 10.01, 9.99), (10.0, 13.0, 12.0), (4.0, 10.0, 3.0)
"""Ratios of a loop to threads: asked at least 5, they decide at 99.99 %, at 99 %, and not at all."""
BEFORE = RegisteredClaim(sha256="", commit=None, committed_at=None, clean=False)


def judged(*ratios: Sequence[float]) -> list[JudgedClaim]:
    """C1, C2 and so on."""
    found = []
    for number, values in enumerate(ratios, 1):
        asked, source = claim(claim=f"C{number}"), Values(loop=values, threads=(1.0, 1.0, 1.0))
        found.append(JudgedClaim(asked, BEFORE, source, decide(asked, source)))
    return found


@pytest.mark.parametrize(
    ("ratios", "lost"),
    [
        ([NEAR], []),
        ([FAR, NEAR], []),  # the stronger one takes half of the error, the weaker one has what is left
        ([NEAR, NEAR], ["C1", "C2"]),
        ([FAR, NEAR, NOWHERE], ["C2"]),  # one that is not decided was tested all the same
        ([FAR, FAR], []),
        ([], []),
    ],
)
def test_the_strongest_words_stay(ratios: list[Sequence[float]], lost: list[str]) -> None:
    every = judged(*ratios)
    assert holm.lost(every) == lost


def test_a_count_is_exact_and_takes_no_part_of_the_error() -> None:
    every = judged(NEAR)
    source = Values(functions=(9.0,))
    counted = claim(claim="C9", kind="counted", statistic={"value": "functions"}, holds_if={"at_least": 1})
    assert holm.lost([*every, JudgedClaim(counted, BEFORE, source, decide(counted, source))]) == []
