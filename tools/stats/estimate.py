"""A value with its interval. Needs neither numpy nor scipy."""

from dataclasses import dataclass
from math import exp, log

LEAST_STARTS = 3
"""With fewer starts an interval does not contain what differs from start to start (Mytkowicz et al., ASPLOS 2009)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A geometric mean, or a ratio of two, with an interval that is symmetric on the log scale."""

    value: float
    low: float | None
    """None where one sample leaves no interval."""
    high: float | None
    confidence: float
    """The share of such intervals that contain the true value: 0.95, 0.99."""
    starts: int
    samples: int
    """Blocks with a value; for a ratio, pairs."""
    error: float | None
    """The standard error of log(value)."""
    freedom: float
    """Degrees of freedom of that error, for Student's t."""
    dropped: int = 0
    """Blocks of a ratio in which one of the two values is missing."""

    @property
    def provisional(self) -> bool:
        """Whether the service was started too few times for a verdict."""
        return self.starts < LEAST_STARTS

    @property
    def smallest_difference(self) -> float | None:
        """The smallest difference, as a share (0.05 is 5 %), that an interval of this width separates from none."""
        return None if self.high is None else exp(log(self.high) - log(self.value)) - 1
