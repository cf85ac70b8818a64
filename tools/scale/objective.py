"""Whether a trial met the objective. Must not know how a rate is searched for."""

from tools import measures
from tools.experiment import Objective
from tools.results import Trial
from tools.units import duration, share


def missed(trial: Trial, objective: Objective) -> str:
    """Why it was missed, in a few words; empty where it was met."""
    calls = trial.result["calls"]
    ok_share = calls["ok"] / calls["planned"] if calls["planned"] else 0.0
    if ok_share < objective.ok_share:
        return f"{_rounded_down(ok_share)} of the calls ended OK"
    p99_ns = measures.latency_ns(trial, "p99")
    if p99_ns is None:
        return "too few calls for a p99"
    if p99_ns > objective.p99_ms * 1e6:
        return f"p99 {duration(p99_ns)}"
    return ""


def told(objective: Objective) -> str:
    """As `p99 <= 100 ms and 99.9 % OK`."""
    return f"p99 <= {duration(objective.p99_ms * 1e6)} and {share(objective.ok_share)} OK"


def _rounded_down(fraction: float) -> str:
    """Never as much as was asked for."""
    return share(int(fraction * 1000) / 1000)
