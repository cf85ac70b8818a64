"""The best of several arms, and the arms that cannot be told from it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from tools.stats.holm import holm
from tools.stats.nested import Floats, pooled_moments
from tools.stats.series import Series
from tools.stats.verdict import Better


@dataclass(frozen=True, slots=True)
class BestGroup:
    """Arms by name; those in a tuple are sorted from best to worst."""

    best: str
    not_distinguishable: tuple[str, ...]
    """From the best arm."""
    worse: tuple[str, ...]
    starts: int
    blocks: int
    """Those with a value of every arm; others do not count."""


def best_group(arms: Sequence[Series], better: Better, level: float = 0.05) -> BestGroup:
    """Sorts the arms by their geometric mean, and compares each with the first, over the blocks that all have.

    At most a share `level` of such groups contains a difference between equal arms. The data choose the best arm, so
    that the correction has to count every pair of arms. Raises ValueError where no block has a value of every arm.
    """
    places = sorted(set.intersection(*(set(arm.values) for arm in arms)))
    if not places:
        raise ValueError(f"{', '.join(arm.arm for arm in arms)}: there is no block with a value of each")
    sizes = list(Counter(place.start for place in places).values())
    logs = np.log([[arm.values[place] for place in places] for arm in arms])
    order = np.argsort(logs.mean(axis=1) * (-1 if better == "higher" else 1), kind="stable")
    best, *others = (arms[index].arm for index in order)
    adjusted = holm(_p_values(logs[order], sizes))
    worse = {other for rank, other in enumerate(others, start=1) if adjusted[0, rank] <= level}
    return BestGroup(
        best,
        tuple(other for other in others if other not in worse),
        tuple(other for other in others if other in worse),
        len(sizes),
        len(places),
    )


def _p_values(logs: Floats, sizes: Sequence[int]) -> dict[tuple[int, int], float]:
    """For each pair of rows, that their means do not differ."""
    pairs = list(combinations(range(len(logs)), 2))
    if not pairs or sum(sizes) < 2:
        return dict.fromkeys(pairs, 1.0)
    differences = np.stack([logs[first] - logs[second] for first, second in pairs])
    found = pooled_moments(differences, sizes, freedom=(len(logs) - 1) * (len(sizes) - 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # no noise: infinite, or 0 / 0 for equal means
        deviations = np.nan_to_num(np.abs(found.mean) / np.sqrt(found.variance), posinf=np.inf)
    return dict(zip(pairs, (2 * special.stdtr(found.freedom, -deviations)).tolist(), strict=True))
