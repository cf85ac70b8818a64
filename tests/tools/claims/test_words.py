"""Figures look as a person writes them: with one unit, and in numbers that can be compared."""

from math import inf
from typing import Any

import msgspec
import pytest

from tools import cli
from tools.claims import words
from tools.claims.claim import Statistic, Threshold
from tools.claims.decision import LOOKS, ClaimVerdict, Interval

RATIO: dict[str, Any] = {"measure": "rate_rps", "ratio": ["loop", "threads"]}
LATENCY: dict[str, Any] = {"measure": "latency_p99_ns", "value": "loop"}
EVENTS: dict[str, Any] = {"measure": "lost_updates", "per": "calls_ok", "events": "threads"}
FIGURES = [
    (RATIO, Interval(24, 19, 31, 3), "24x (19 to 31)"),
    (RATIO, Interval(24, 19, inf, 3), "more than 19x"),
    (RATIO, Interval(24, 0, 31, 3), "less than 31x"),
    (LATENCY, Interval(9e6, 8e6, 11e6, 3), "9 ms (8 to 11)"),
    (LATENCY, Interval(9e6, 800e3, 11e6, 3), "9 ms (800 µs to 11 ms)"),
    (EVENTS, Interval(0.00331, 0.00259, 0.00417, 3), "331 (259 to 417) in 100,000"),
    ({"value": "linear.functions"}, Interval(1, 1, 1, 1), "1"),
]


@pytest.mark.parametrize(("statistic", "found", "text"), FIGURES)
def test_a_figure(statistic: dict[str, Any], found: Interval, text: str) -> None:
    assert words.figure(msgspec.convert(statistic, Statistic), found) == text


BOUNDS = [
    (RATIO, Threshold(at_least=5), "at least 5x"),
    (LATENCY, Threshold(at_most=5e6), "at most 5 ms"),
    (RATIO, Threshold(within=(0.9, 1.1)), "0.9 to 1.1x"),
    (LATENCY, Threshold(within=(500e3, 2e6)), "500 µs to 2 ms"),
    ({"value": "linear.functions"}, Threshold(within=(1, 1)), "exactly 1"),
]


@pytest.mark.parametrize(("statistic", "bound", "text"), BOUNDS)
def test_a_threshold(statistic: dict[str, Any], bound: Threshold, text: str) -> None:
    assert words.asked(msgspec.convert(statistic, Statistic), bound) == text


OUTCOMES = [
    (3, 1, "not distinguishable (1 more round)"),
    (5, 3, "not distinguishable (3 more rounds)"),
    (5, 4, "not distinguishable (about 4 more rounds)"),
    (8, 1, "not distinguishable (about 1 more round)"),
    (8, 1200, "not distinguishable (about 1,200 more rounds)"),
    (8, None, "not distinguishable"),
]


@pytest.mark.parametrize(("rounds", "more", "text"), OUTCOMES)
def test_rounds_that_the_command_does_not_make_are_no_advice(rounds: int, more: int | None, text: str) -> None:
    assert words.outcome(ClaimVerdict("not distinguishable", (), rounds, more)) == text


@pytest.mark.parametrize("number", ["0", "9", "some"])
def test_rounds_beyond_the_last_look_are_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["claims", "--rounds", number])
    assert f"argument --rounds: '{number}' is not a number within 1 to 8, the last look" in capsys.readouterr().err
    assert max(LOOKS) == cli.MAX_ROUNDS
