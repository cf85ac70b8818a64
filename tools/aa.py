"""A/A: an arm compared with itself, by the statistics that compare it with others.

The ratio shows what a run cannot distinguish.

Such a ratio comes from one of two designs:

- With several blocks, it comes from the slices of the best arm. Two successive slices of a round are a pair, and chance
  decides which of them is the numerator. No further slice is measured. The slices of a pair are a block apart, so the
  interval is wider than that of two arms, whose slices share a block.
- With one block, it comes from second trials of one arm, each with a service of its own (tools/trial_specs.py).

An arm does not differ from itself. If the interval does not contain 1, the run shows differences that do not exist.
Must not know how a trial is made, nor what is shown.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tools import histogram
from tools.measures import PERCENTILES, samples_needed
from tools.results import Trial
from tools.standings import PointStandings, Standing
from tools.stats.best import against
from tools.stats.estimate import Estimate
from tools.stats.interval import ratio, with_confidence
from tools.stats.line import basis, interval
from tools.stats.series import BlockId, Series
from tools.values import p99s_ns, rates_rps, series

CONFIDENCE = 0.99
"""At one point in a hundred, chance alone gives an interval without 1."""


@dataclass(frozen=True, slots=True)
class SelfRatio:
    """One arm against itself, at one point."""

    at: PointStandings
    arm: str
    ratio: Estimate

    @property
    def excludes_1(self) -> bool:
        """Whether the run shows a difference that does not exist."""
        low, high = self.ratio.low, self.ratio.high
        return low is not None and high is not None and not low <= 1 <= high

    def __str__(self) -> str:
        """As `the same arm against itself at 10 connections: 0.99 [0.96, 1.02] (rate of seda, 9 pairs, 3 starts)`."""
        of = f"{self.at.measure} of {self.arm}, {basis(self.ratio)}"
        return f"the same arm against itself at {self.at.described}: {interval(self.ratio)} ({of})"


def self_ratio(at: PointStandings, rounds: Sequence[Trial], again: Sequence[Trial]) -> SelfRatio | None:
    """The ratio at that point; None without a pair. `rounds` are the first trials of the run, `again` the second."""
    second = [trial for trial in again if trial.id.point == at.point.name]
    if first := next((one for one in at.ranked if second and one.arm == second[0].arm), None):
        values = series(first.arm, second, p99s_ns if at.measure == "p99" else rates_rps)
        if not first.values.values.keys() & values.values.keys():
            return None
        others = [one.values for one in at.ranked if one is not first]
        of_second = against(first.values, [values, *others], "higher")[0].ratio
        return None if of_second is None else SelfRatio(at, first.arm, with_confidence(of_second, CONFIDENCE))
    for best in at.ranked[:1]:
        halves = _halves_of_p99(best, rounds) if at.measure == "p99" else _halves(best.values)
        if halves[0].values:
            return SelfRatio(at, best.arm, ratio(*halves, CONFIDENCE))
    return None


def _halves(whole: Series) -> tuple[Series, Series]:
    """Successive blocks of a round as pairs."""
    pairs: dict[BlockId, tuple[float, float]] = {}
    for number in sorted({block.round for block in whole.values}):
        blocks = sorted(block for block in whole.values if block.round == number)
        for index, pair in enumerate(zip(blocks[::2], blocks[1::2], strict=False)):
            values = [whole.values[block] for block in pair]
            _dice(whole.arm, number, index).shuffle(values)
            pairs[BlockId(number, index)] = values[0], values[1]
    return _both(whole.arm, pairs)


def _halves_of_p99(best: Standing, rounds: Sequence[Trial]) -> tuple[Series, Series]:
    """A slice has too few calls for a p99: all slices of a round, in two halves at random, are one pair."""
    pairs: dict[BlockId, tuple[float, float]] = {}
    for trial in (each for each in rounds if (each.arm, each.id.point) == (best.arm, best.trial.id.point)):
        slices = [each["latency_ns"] for each in trial.result.get("slices", ())]
        _dice(best.arm, trial.id.round, 0).shuffle(slices)
        halves = [slices[::2], slices[1::2]]
        least = min(sum(each["count"] for each in half) for half in halves)
        if least >= samples_needed(PERCENTILES["p99"]):
            first, second = (histogram.value_of_all([each["histogram"] for each in half], 0.99) for half in halves)
            pairs[BlockId(trial.id.round, 0)] = first, second
    return _both(best.arm, pairs)


def _both(arm: str, pairs: dict[BlockId, tuple[float, float]]) -> tuple[Series, Series]:
    first, second = ({block: pair[index] for block, pair in pairs.items()} for index in (0, 1))
    return Series(arm, first), Series(arm, second)


def _dice(arm: str, number: int, index: int) -> random.Random:
    """Random numbers that are the same for each reader of a results folder."""
    return random.Random(f"{arm} {number} {index}")
