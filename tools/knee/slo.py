"""An objective as a person writes it: `p99<50ms, errors<0.1%`. Must not know how it is met."""

import re

from tools.experiment import Objective
from tools.status import PlainError

_P99 = re.compile(r"p99\s*<=?\s*(\d+(?:\.\d+)?)\s*(us|ms|s)")
_ERRORS = re.compile(r"errors\s*<=?\s*(\d+(?:\.\d+)?)\s*%")
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
ACCEPTED = "p99<TIME in us, ms or s, optionally with errors<SHARE in %, as 'p99<50ms, errors<0.1%'"


def read(text: str) -> Objective:
    """Parses the text; by default, errors are at most 0.1 %. Raises PlainError, which states what is accepted."""
    p99_ms, errors = None, None
    for part in text.split(","):
        if (found := _P99.fullmatch(part.strip())) and p99_ms is None:
            p99_ms = float(found[1]) * _MS[found[2]]
        elif (found := _ERRORS.fullmatch(part.strip())) and errors is None:
            errors = float(found[1]) / 100
        else:
            raise PlainError(f"--slo {text!r}: {part.strip()!r} is not accepted; write {ACCEPTED}")
    if not p99_ms or (errors is not None and errors >= 1):
        raise PlainError(f"--slo {text!r}: p99 must be above 0 and errors below 100 %; write {ACCEPTED}")
    return Objective(p99_ms=p99_ms) if errors is None else Objective(p99_ms=p99_ms, ok_share=1 - errors)


def written(objective: Objective) -> str:
    """As `p99<50ms, errors<0.1%`: the one form in which it is printed."""
    errors = round((1 - objective.ok_share) * 100, 9)
    return f"p99<{objective.p99_ms:g}ms, errors<{errors:g}%"
