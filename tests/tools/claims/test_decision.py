"""What rounds decide: the verdict follows only from the interval and the threshold."""

from math import inf
from typing import Any

import numpy as np
import pytest

from tests.tools.claims.made import Values, claim
from tools.claims.decision import LOOKS, decide
from tools.claims.words import figure

STEADY = (1.0, 0.99, 1.01)
TEN = (10.0, 10.1, 9.9)


@pytest.mark.parametrize(
    ("loop", "threads", "bound", "word"),
    [
        (TEN, STEADY, {"at_least": 5}, "holds"),
        (STEADY, TEN, {"at_least": 5}, "does not hold"),  # the same values of the other arm
        (TEN, STEADY, {"at_least": 10}, "not distinguishable"),
        (STEADY, STEADY, {"within": [0.9, 1.1]}, "holds"),
        (TEN, STEADY, {"within": [0.9, 1.1]}, "does not hold"),
        (STEADY, TEN, {"at_most": 0.2}, "holds"),
        ((4.0, 10.0, 30.0), STEADY, {"at_least": 5}, "not distinguishable"),
        (TEN[:2], STEADY[:2], {"at_least": 5}, "not distinguishable"),  # too few rounds for a look
    ],
)
def test_the_word_follows_from_the_interval(loop: Any, threads: Any, bound: dict[str, float], word: str) -> None:
    assert decide(claim(holds_if=bound), Values(loop=loop, threads=threads)).word == word


def test_a_claim_is_decided_at_the_first_look_that_decides_it() -> None:
    early = decide(claim(), Values(loop=(*TEN, 1.0, 1.0), threads=(*STEADY, 1.0, 1.0)))
    assert (early.word, early.rounds) == ("holds", 3)


def test_rounds_after_a_look_wait_for_the_next_one() -> None:
    values = Values(loop=(4.0, 10.0, 30.0, 10.0), threads=(1.0, 1.0, 1.0, 1.0))
    assert decide(claim(), values).rounds == 3


def test_more_rounds_are_asked_for_where_the_interval_contains_the_threshold() -> None:
    verdict = decide(claim(holds_if={"at_least": 9}), Values(loop=(9.0, 12.0, 10.0), threads=(1.0, 1.0, 1.0)))
    assert verdict.word == "not distinguishable"
    # Of 10 rounds at 97.5 %: 2.69 x 0.146 / sqrt(10) = 0.124, less than ln(10.26 / 9) = 0.131. Of 9 it is more.
    assert verdict.more_rounds == 7


def test_a_round_without_a_value_does_not_count() -> None:
    verdict = decide(claim(), Values(loop=(10.0, None, 10.1), threads=(1.0, 1.0, 1.0)))
    assert (verdict.word, verdict.why) == ("void", "too few rounds have a figure")


def test_every_clause_must_hold() -> None:
    further = [{"statistic": {"measure": "rate_rps", "value": "rate"}, "holds_if": {"at_least": 100}}]
    for rate, word in (((200.0, 201.0, 199.0), "holds"), ((50.0, 51.0, 49.0), "does not hold")):
        assert decide(claim(**{"and": further}), Values(loop=TEN, threads=STEADY, rate=rate)).word == word


def test_a_clause_that_refutes_decides_though_another_has_no_figure() -> None:
    further = [{"statistic": {"measure": "rate_rps", "value": "rate"}, "holds_if": {"at_least": 100}}]
    nothing: tuple[None, ...] = (None, None, None)
    for loop, word in ((STEADY, "does not hold"), (TEN, "void")):
        assert decide(claim(**{"and": further}), Values(loop=loop, threads=STEADY[::-1], rate=nothing)).word == word


def test_a_bound_of_a_latency_can_decide_one_way_only() -> None:
    values = Values(loop=TEN, threads=STEADY)
    values.bounds["loop"] = 1  # the loop took 10, or longer
    assert decide(claim(), values).word == "holds"
    assert decide(claim(holds_if={"at_most": 5}), values).word == "does not hold"
    assert decide(claim(holds_if={"at_least": 20}), values).word == "not distinguishable"
    found = decide(claim(), values).figures[0]
    assert found is not None
    assert found.high == inf
    assert figure(claim().statistic, found).startswith("more than ")


LOST = claim(statistic={"events": "loop", "measure": "lost_updates", "per": "cases"}, holds_if={"at_most": 0.001})
MANY, FEW = (10_000.0,) * 3, (100.0,) * 3


@pytest.mark.parametrize(
    ("lost", "cases", "word"),
    [
        ((0.0, 0.0, 0.0), MANY, "holds"),
        ((0.0, 0.0, 0.0), FEW, "not distinguishable"),  # 0 of n: below 3/n (Hanley and Lippman-Hand, JAMA 249, 1983)
        ((900.0, 850.0, 950.0), MANY, "does not hold"),
        ((0.0, 0.0, 300.0), MANY, "not distinguishable"),  # of one start: others may have none
        ((0.0, None, None), MANY, "void"),
    ],
)
def test_a_share_of_events_is_judged_by_how_much_it_varies_from_round_to_round(
    lost: Any, cases: Any, word: str
) -> None:
    assert decide(LOST, Values(loop=lost, cases=cases)).word == word


def test_a_slope_is_one_value_a_round() -> None:
    slope = claim(statistic={"measure": "pss_bytes", "over": "idle", "value": "loop"}, holds_if={"within": [9, 11]})
    assert decide(slope, Values(loop=TEN)).word == "holds"


def test_a_ratio_of_ratios_is_an_interaction() -> None:
    both = claim(
        statistic={"measure": "rate_rps", "ratio": [{"ratio": ["a", "b"]}, {"ratio": ["c", "d"]}]},
        holds_if={"within": [0.9, 1.1]},
    )
    assert decide(both, Values(a=TEN, b=STEADY, c=TEN, d=STEADY)).word == "holds"
    assert decide(both, Values(a=TEN, b=STEADY, c=STEADY, d=TEN)).word == "does not hold"


def test_a_counted_claim_needs_one_round_and_has_no_interval() -> None:
    counted = claim(kind="counted", statistic={"value": "functions"}, holds_if={"at_most": 1})
    assert [decide(counted, Values(functions=(n,))).word for n in (1.0, 2.0)] == ["holds", "does not hold"]


@pytest.mark.parametrize("spread", [0.1, 1.0], ids=["steady", "from start to start"])
def test_looks_are_wrong_for_at_most_5_per_cent_of_claims(spread: float) -> None:
    """The true value is the threshold: each decision is then wrong. Simulated 2,000 times."""
    dice = np.random.default_rng(1)
    rounds = max(LOOKS)
    ratios, events = 0, 0
    for _ in range(2000):
        drawn = np.exp(dice.normal(0, spread, rounds))
        ratio = Values(loop=tuple(drawn), threads=(1.0,) * rounds)
        ratios += decide(claim(holds_if={"at_least": 1}), ratio).word != "not distinguishable"
        lost = dice.poisson(1000 * drawn).astype(float)
        events += decide(LOST, Values(loop=tuple(lost), cases=(1e6,) * rounds)).word != "not distinguishable"
    assert ratios / 2000 < 0.05
    assert events / 2000 < 0.05
