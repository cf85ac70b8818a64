"""Whether a trial met the objective. Must not know how a rate is searched for."""

import math

from tools import measures
from tools.experiment import Objective
from tools.results import Trial
from tools.units import duration, share


class TooFewCallsError(Exception):
    """A trial that can be judged neither way; the message is one line for a person."""


def missed(trial: Trial, objective: Objective) -> str:
    """Why it was missed, in a few words; empty where it was met. Raises TooFewCallsError."""
    calls = trial.result["calls"]
    ok_share = calls["ok"] / calls["planned"] if calls["planned"] else 1.0
    if ok_share < objective.ok_share:
        return f"{_rounded_down(ok_share)} of the calls ended OK"
    p99 = measures.latency(trial, "p99")
    if p99 is None:
        needed = measures.samples_needed(measures.PERCENTILES["p99"])
        raise TooFewCallsError(f"{calls['planned']} calls were made, but a p99 needs {needed}: set a longer duration_s")
    if p99.is_bound or p99.ns > objective.p99_ms * 1e6:
        return f"p99 {duration(p99.ns, is_bound=p99.is_bound)}"
    return ""


def lowest_rps(duration_s: float) -> float:
    """The lowest rate at which a trial of that time has enough calls to be judged.

    As many Poisson arrivals as are needed waver by the square root of that: with four times it to spare, less than one
    trial in 5,000 has too few.
    """
    needed = measures.samples_needed(measures.PERCENTILES["p99"])
    return (needed + 4 * math.sqrt(needed)) / duration_s


def text(objective: Objective) -> str:
    """As `p99 <= 100 ms and 99.9 % OK`."""
    return f"p99 <= {duration(objective.p99_ms * 1e6)} and {share(objective.ok_share)} OK"


def _rounded_down(fraction: float) -> str:
    """Never as much as was asked for."""
    return share(int(fraction * 1000) / 1000)
