"""What an interval of a ratio decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log
from typing import Literal

from tools.stats.estimate import Estimate

RatioOutcome = Literal["better", "worse", "not distinguishable"]
Better = Literal["higher", "lower"]

GENERAL = {"better": "better", "worse": "worse"}
OF_RATES = {"better": "faster", "worse": "slower"}
"""The words for a measure that is a rate."""
OF_COSTS = {"better": "lower", "worse": "higher"}
"""The words for a latency, or for CPU time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for the first arm of the ratio."""

    outcome: RatioOutcome
    word: str
    """The outcome as printed."""
    smallest_difference: float | None
    """As a share: a true difference of this size is found by half of such runs. None without an interval."""
    pairs_needed: int | None
    """Pairs that would show the observed difference, with starts in proportion; None without difference or interval.

    A half-width shrinks with the square root of the pairs, so it is pairs x (half-width / distance)^2.
    """


def verdict(ratio: Estimate, better: Better, threshold: float = 1.0, words: Mapping[str, str] = GENERAL) -> Verdict:
    """Compares the interval with the threshold; an interval that contains it does not distinguish the arms."""
    if ratio.low is None or ratio.high is None:
        return Verdict("not distinguishable", "not distinguishable", None, None)
    outcome: RatioOutcome = "not distinguishable"
    if ratio.low > threshold or ratio.high < threshold:
        outcome = "better" if (ratio.low > threshold) == (better == "higher") else "worse"
    distance = abs(log(ratio.value / threshold))
    half_width = log(ratio.high / ratio.value)
    needed = ceil(ratio.samples * (half_width / distance) ** 2) if distance else None
    return Verdict(outcome, words.get(outcome, outcome), ratio.smallest_difference, needed)
