"""What CPUs cost, as a person writes it: `0.04 EUR/cpu-hour`."""

import re
from dataclasses import dataclass

from tools.status import PlainError

_PRICE = re.compile(r"(\d+(?:\.\d+)?)\s*([^\d\s/]{0,5})\s*/\s*cpu-hour")
SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Price:
    """Of one CPU for one hour."""

    amount: float
    currency: str
    """As `EUR`; empty where none is given."""

    def of_million_calls(self, cpus: float, rate_rps: float) -> str:
        """As `0.022 EUR`: what so many CPUs cost for the time of a million calls."""
        cost = self.amount * cpus * 1e6 / (rate_rps * SECONDS)
        return f"{cost:.2g} {self.currency}".rstrip()


def read(text: str) -> Price:
    """Raises PlainError, whose text states what is accepted."""
    found = _PRICE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise PlainError(f"--price {text!r}: write an amount above 0 with its unit, as '0.04 EUR/cpu-hour'")
    return Price(float(found[1]), found[2])
