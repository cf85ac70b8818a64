"""The values that one arm has of one measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import NamedTuple


class Place(NamedTuple):
    """Where a value was measured. Arms are compared within a place."""

    start: int
    """The round: the service was started anew for it."""
    block: int
    """The position within the round."""


@dataclass(frozen=True, slots=True)
class Series:
    """A value above 0 for each place. A value that was not measured, or is void, is left out.

    Raises ValueError, with the arm, start and block, for a value that has no logarithm.
    """

    arm: str
    values: Mapping[Place, float]

    def __post_init__(self) -> None:
        """Reject zeros, negative values, infinity and NaN."""
        for (start, block), value in self.values.items():
            if not 0 < value < inf:
                raise ValueError(
                    f"{self.arm}, start {start}, block {block}: {value} is not a finite number above 0: leave it out"
                )
