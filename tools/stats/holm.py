"""The correction for several comparisons."""

from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """P-values adjusted for their number: those at or below a level are significant together at that level.

    Holm, Scandinavian Journal of Statistics 6, 1979: valid for any dependence between the comparisons.
    """
    adjusted: dict[Key, float] = {}
    highest = 0.0
    for rank, (key, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * value))
        adjusted[key] = highest
    return adjusted
