"""What a run calls a difference where there is none: one model beside itself, slice by slice.

Must not know how a trial is made, nor what a claim says.
"""

from collections.abc import Mapping, Sequence
from math import exp, inf, log

from tools.claims.claim import Claim
from tools.claims.decision import Interval
from tools.claims.measures import number
from tools.results import Trial
from tools.stats.interval import ratio
from tools.values import Values, cpus_ns, rates_rps, series

EXPERIMENT = "aa"
ARMS = ("first", "second")
CONFIDENCE = 0.99
VALUES: Mapping[str, Values] = {"rate": rates_rps, "CPU": cpus_ns}
OF_MEASURE = {
    "rate_rps": "rate",
    "goodput_rps": "rate",
    "latency_p50_ns": "rate",
    "latency_p90_ns": "rate",
    "latency_p99_ns": "rate",
    "cpu_per_call_ns": "CPU",
}
"""Measure of a claim -> what of the pair bounds it; others are not bounded by the machine's speed."""

Floors = Mapping[str, Interval]
"""`rate` and `CPU`: the ratio of the model to itself; empty where it was not measured."""


def floors(trials: Sequence[Trial]) -> Floors:
    """Over the pairs of slices of all rounds."""
    found = {}
    for name, values in VALUES.items():
        first, second = (series(arm, [each for each in trials if each.arm == arm], values) for arm in ARMS)
        if not first.values.keys() & second.values.keys():
            continue
        pair = ratio(first, second, CONFIDENCE)
        if pair.low is not None and pair.high is not None:
            found[name] = Interval(pair.value, pair.low, pair.high, pair.starts)
    return found


def apart(found: Interval) -> float:
    """By what share the model differs from itself at most: 0.05 is 5 %."""
    return exp(max(abs(log(found.low)), abs(log(found.high)))) - 1 if found.low > 0 else inf


def too_coarse(claim: Claim, found: Floors) -> str:
    """Why a verdict on the claim means nothing on this machine; empty where it does.

    The pair must contain 1, and differ by less than half of the distance between 1 and the claim's threshold.
    """
    pair = found.get(OF_MEASURE.get(claim.statistic.operands[0].measure, ""))
    if pair is None or claim.statistic.form != "ratio":
        return ""
    ends = [end for end in (claim.holds_if.at_least, claim.holds_if.at_most) if end is not None and end > 0]
    by = apart(pair)
    if pair.low <= 1 <= pair.high and all(log(1 + by) <= abs(log(end)) / 2 for end in ends if end != 1):
        return ""
    return f"one model beside itself differed by up to {number(100 * by)} %: repeat it on a quiet machine"
