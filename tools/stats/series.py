"""The values that one arm has of one measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import NamedTuple


class BlockId(NamedTuple):
    """The block in which a value was measured. Arms are compared within a block."""

    round: int
    """From 1. A round has its own start of the service."""
    block: int
    """The position within the round, from 0."""


@dataclass(frozen=True, slots=True)
class Series:
    """A value above 0 for each block. A value that was not measured, or is void, is left out.

    Raises ValueError, with the arm, round and block, for a value that has no logarithm.
    """

    arm: str
    values: Mapping[BlockId, float]

    def __post_init__(self) -> None:
        """Reject zeros, negative values, infinity and NaN."""
        for (number, block), value in self.values.items():
            if not 0 < value < inf:
                raise ValueError(
                    f"{self.arm}, round {number}, block {block}: {value} is not a finite number above 0: leave it out"
                )
