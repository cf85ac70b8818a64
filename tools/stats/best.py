"""The best of several arms, and those that cannot be distinguished from it: by pairs, corrected for their number."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from tools.stats.estimate import Estimate
from tools.stats.holm import holm
from tools.stats.interval import CONFIDENCE, of_moments, ratio
from tools.stats.nested_mean import Floats, pooled_moments
from tools.stats.series import BlockId, Series
from tools.stats.significance import p_value
from tools.stats.verdict import GENERAL, Better, Verdict, verdict

BEYOND_DOUBT = 2.0
"""Machines change their speed by some 30 % within hours: values further apart than this differ in any block."""
APART = f"by more than {BEYOND_DOUBT:g} times"


@dataclass(frozen=True, slots=True)
class RatioToBest:
    """One arm beside the best."""

    arm: str
    ratio: Estimate | None
    """Best / arm, over the blocks that both have; None where there is none."""
    verdict: Verdict
    """For the best, corrected for the number of pairs."""

    @property
    def worse(self) -> bool:
        """Whether the arm is worse than the best; False: not distinguishable."""
        return self.verdict.outcome == "better"


@dataclass(frozen=True, slots=True)
class BestGroup:
    """The arms but the best are sorted from best to worst."""

    best: str
    others: tuple[RatioToBest, ...]

    @property
    def not_distinguishable(self) -> tuple[str, ...]:
        """From the best arm."""
        return tuple(one.arm for one in self.others if not one.worse)

    @property
    def worse(self) -> tuple[str, ...]:
        """Those that are."""
        return tuple(one.arm for one in self.others if one.worse)


def best_group(
    arms: Sequence[Series], better: Better, level: float = 0.05, words: Mapping[str, str] = GENERAL
) -> BestGroup:
    """Sorts the arms, and compares each with the first over the blocks that both have.

    At most a share `level` of such groups contains a difference between equal arms. The data choose the best arm, so
    that the correction has to count every pair of arms. There is at least one arm, and each has a value.
    """
    effects = _effects([_logs(arm) for arm in arms])
    order = np.argsort(effects * (-1 if better == "higher" else 1), kind="stable")
    best, *others = (arms[index] for index in order)
    return BestGroup(best.arm, against(best, others, better, level, words))


def against(
    best: Series, others: Sequence[Series], better: Better, level: float = 0.05, words: Mapping[str, str] = GENERAL
) -> tuple[RatioToBest, ...]:
    """Each of the others beside one arm, which need not be the best by these values."""
    ratios = _ratios([best, *others])
    adjusted = holm({pair: p_value(found) for pair, found in ratios.items()})
    found = []
    for rank, other in enumerate(others, start=1):
        pair = ratios.get((0, rank))
        decided = Verdict("not distinguishable", "not distinguishable", None, None)
        if pair is not None and pair.error is not None:
            decided = verdict(pair, better, words=words)
            if adjusted[0, rank] > level:
                decided = replace(decided, outcome="not distinguishable", word="not distinguishable")
        elif _apart(best, other, better):
            decided = replace(decided, outcome="better", word=f"{words['better']}: all values, unpaired, {APART}")
        found.append(RatioToBest(other.arm, pair, decided))
    return tuple(found)


def _logs(arm: Series) -> dict[BlockId, float]:
    return {block: float(np.log(value)) for block, value in arm.values.items()}


def _effects(arms: Sequence[dict[BlockId, float]]) -> Floats:
    """The mean of each arm, on the log scale, less that of the blocks it was measured in: a block may be a fast one.

    Least squares of arm + block. With every value of every arm it is the plain mean.
    """
    blocks = {block: column for column, block in enumerate(sorted(set().union(*arms)))}
    means = np.array([np.mean(list(arm.values())) for arm in arms])
    cells = [(row, blocks[block], value - means[row]) for row, arm in enumerate(arms) for block, value in arm.items()]
    rows, columns, rest = (np.array(each) for each in zip(*cells, strict=True))
    design = np.zeros((len(cells), len(arms) + len(blocks)))
    design[np.arange(len(cells)), rows] = 1
    design[np.arange(len(cells)), len(arms) + columns] = 1
    return np.asarray(means + np.linalg.lstsq(design, rest)[0][: len(arms)])


def _ratios(arms: Sequence[Series]) -> dict[tuple[int, int], Estimate]:
    """Of each pair with a common block, by the positions of both."""
    found, several = {}, {}
    for first, second in combinations(range(len(arms)), 2):
        both = sorted(arms[first].values.keys() & arms[second].values.keys())
        if len(both) == 1:
            found[first, second] = ratio(arms[first], arms[second])
        elif both:
            logs = np.log([arms[first].values[block] / arms[second].values[block] for block in both])
            several[first, second] = logs, list(Counter(block.round for block in both).values())
    cells = {(arm.arm, block.round) for arm in arms for block in arm.values}
    freedom = len(cells) - len(arms) - len({number for _, number in cells}) + 1
    pooled = pooled_moments(list(several.values()), max(freedom, 0))
    for pair, (_, sizes), moments in zip(several, several.values(), pooled, strict=True):
        one, other = (arms[index].values.keys() for index in pair)
        found[pair] = of_moments(moments, sizes, CONFIDENCE, dropped=len(one ^ other))
    return found


def _apart(best: Series, other: Series, better: Better) -> bool:
    """Whether all values of both are, with at least two of each."""
    if min(len(best.values), len(other.values)) < 2:
        return False
    low, high = (best, other) if better == "lower" else (other, best)
    return max(low.values.values()) * BEYOND_DOUBT < min(high.values.values())
