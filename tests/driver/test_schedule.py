import statistics
from itertools import pairwise

import pytest

from services.driver.schedule import NS_PER_S, Window, intended_sends, steady


@pytest.mark.parametrize(
    ("sentence", "rate_rps", "seconds", "expected_ms"),
    [
        ("four calls a second are a quarter of a second apart", 4, 1, [0, 250, 500, 750]),
        ("the first call is due at once, however low the rate", 0.1, 1, [0]),
        ("the call that would fall on the end is not sent", 1, 2, [0, 1000]),
        ("a rate that does not divide a second does not drift", 3, 1, [0, 333, 666]),
        ("nothing is sent in no time", 10, 0, []),
    ],
)
def test_constant_arrivals(sentence: str, rate_rps: float, seconds: int, expected_ms: list[int]) -> None:
    sends = list(intended_sends(steady(rate_rps), "constant", 1, 0, seconds * NS_PER_S))
    assert [send_ns // 1_000_000 for send_ns in sends] == expected_ms, sentence


def test_a_schedule_begins_where_the_run_does() -> None:
    assert list(intended_sends(steady(2), "constant", 1, 700, 700 + NS_PER_S)) == [700, 700 + NS_PER_S // 2]


def test_a_long_constant_schedule_has_exactly_the_rate_asked() -> None:
    assert sum(1 for _ in intended_sends(steady(12_345), "constant", 1, 0, 10 * NS_PER_S)) == 123_450


def test_poisson_gaps_have_the_mean_and_the_deviation_of_an_exponential() -> None:
    sends = list(intended_sends(steady(1000), "poisson", 1, 0, 20 * NS_PER_S))
    gaps_ms = [(later - earlier) / 1e6 for earlier, later in pairwise(sends)]
    assert statistics.mean(gaps_ms) == pytest.approx(1.0, rel=0.05)
    assert statistics.stdev(gaps_ms) == pytest.approx(1.0, rel=0.05)


def test_poisson_sends_stay_in_order_and_within_the_run() -> None:
    sends = list(intended_sends(steady(5000), "poisson", 3, 100, NS_PER_S))
    assert sends == sorted(sends)
    assert sends[0] >= 100
    assert sends[-1] < NS_PER_S


def test_the_same_seed_gives_the_same_poisson_sends_and_another_seed_others() -> None:
    first, again, other = (list(intended_sends(steady(100), "poisson", seed, 0, NS_PER_S)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("sentence", "intended_s", "measured"),
    [
        ("a call of the warm-up is not measured", 10.9, False),
        ("the call at the very start is measured", 11, True),
        ("the last call before the end is measured, whenever it is answered", 12.9, True),
        ("the call at the very end is not measured", 13, False),
    ],
)
def test_the_window_goes_by_the_intended_send(sentence: str, intended_s: float, measured: bool) -> None:
    window = Window.after(10 * NS_PER_S, warmup_s=1, duration_s=2)
    assert window.measures(round(intended_s * NS_PER_S)) is measured, sentence
