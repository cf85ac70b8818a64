"""The difference that a run measures where there is none: one model against itself, slice by slice.

Must not know how a trial is made, nor what a claim states.
"""

from collections.abc import Mapping, Sequence
from math import exp, inf, log

from tools.claims.claim import Claim
from tools.claims.decision import Interval
from tools.claims.measures import MEASURES, Speed, number
from tools.results import Trial
from tools.stats.interval import ratio
from tools.values import Values, cpus_ns, rates_rps, series

EXPERIMENT = "aa"
ARMS = ("first", "second")
CONFIDENCE = 0.99
VALUES: Mapping[Speed, Values] = {"rate": rates_rps, "CPU": cpus_ns}
Floors = Mapping[str, Interval]
"""`rate` and `CPU`: the ratio of the model to itself; empty if it was not measured."""


def floors(trials: Sequence[Trial]) -> Floors:
    """Over the pairs of slices of all rounds."""
    found: dict[str, Interval] = {}
    for name, values in VALUES.items():
        first, second = (series(arm, [each for each in trials if each.arm == arm], values) for arm in ARMS)
        if not first.values.keys() & second.values.keys():
            continue
        pair = ratio(first, second, CONFIDENCE)
        if pair.low is not None and pair.high is not None:
            found[name] = Interval(pair.value, pair.low, pair.high, pair.starts)
    return found


def apart(found: Interval) -> float:
    """The largest share by which the model may differ from itself: 0.05 is 5 %."""
    return exp(max(abs(log(found.low)), abs(log(found.high)))) - 1 if found.low > 0 else inf


def too_coarse(claim: Claim, found: Floors) -> str:
    """Why a verdict on the claim has no meaning on this machine; empty if it has one.

    A pair whose interval does not contain 1 shows a bias. Further rounds do not remove a bias. Noise is no bias: it
    does not count here, and widens the claim's own interval.
    """
    ratios = [clause.statistic for clause in claim.clauses if clause.statistic.form == "ratio"]
    speeds = {MEASURES[leaf.measure].speed for one in ratios for leaf in one.leaves if leaf.measure in MEASURES}
    for name, pair in found.items():
        if name in speeds and not pair.low <= 1 <= pair.high:
            low, high = (number(100 * (end - 1)) for end in (pair.low, pair.high))
            return f"the {name} of one model against itself differed by {low} to {high} %: repeat it on a quiet machine"
    return ""
