"""The knee as one line, from the searches of all starts. A start whose misses are void has no knee.

Must not know where the searches are stored.
"""

from collections.abc import Sequence

from tools.experiment import Objective
from tools.knee import slo
from tools.scale import metrics
from tools.scale.cells import SearchedCell
from tools.scale.void import why_void
from tools.stats.interval import estimate
from tools.stats.line import SEPARATOR
from tools.stats.series import BlockId, Series
from tools.units import count, rest


def line(model: str, searched: Sequence[SearchedCell], objective: Objective) -> str:
    """As `reactor   knee 3,150 calls/s [2,900, 3,400]   p99<50ms, errors<0.1%   3 starts, 48 s`."""
    whole = [one for one in searched if not why_void(one)]
    number = f"{len(whole)} start{'' if len(whole) == 1 else 's'}"
    measured_s = sum(each.trial.result["got"]["duration_s"] for one in searched for each in one.tries)
    parts = [model, f"knee {_rate(model, whole)}", slo.written(objective), f"{number}, {rest(measured_s)}"]
    return SEPARATOR.join(parts)


def _rate(model: str, searched: Sequence[SearchedCell]) -> str:
    if not searched:
        return "void"
    rates = [metrics.middle_rps(one) for one in searched]
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return f"not found: {len(rates) - len(known)} of {len(rates)} starts met the objective at no rate"
    found = estimate(Series(model, {BlockId(start, 0): rate for start, rate in enumerate(known, 1)}))
    ends = "no interval" if found.low is None or found.high is None else f"{_whole(found.low)}, {_whole(found.high)}"
    more = " or more" if any(one.found.missed_rps is None for one in searched) else ""
    return f"{_whole(found.value)}{more} calls/s [{ends}]"


def _whole(rate_rps: float) -> str:
    """Three digits: a search is not more precise."""
    return count(round(float(f"{rate_rps:.3g}")))
