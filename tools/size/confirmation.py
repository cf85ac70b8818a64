"""The result of the confirmation: a shape that ran at its rate for a minute."""

from dataclasses import dataclass

from tools import measures
from tools.checks import void
from tools.scale import metrics
from tools.scale.results import StoredCells
from tools.size.shapes import PodShape
from tools.units import count, duration, share


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Whether it met the objective, in words."""

    met: bool
    text: str


def confirmed(shape: PodShape, stored: StoredCells) -> Confirmation:
    """From the only trial that there is."""
    if not stored.searched and stored.failed:
        return Confirmation(False, f"{shape}: not confirmed: its trial failed: {stored.failed[0][1]}.")
    if not stored.searched:
        why = stored.left_out[0].why if stored.left_out else "it was not measured"
        return Confirmation(False, f"{shape}: not confirmed: {why}.")
    (one,) = stored.searched
    (tried,) = one.tries
    p99 = measures.latency(tried.trial, "p99")
    figures = [f"{count(round(tried.rate_rps))} calls/s for {duration(tried.trial.result['got']['duration_s'] * 1e9)}"]
    if p99 is not None:
        figures.append(f"p99 {duration(p99.ns, is_bound=p99.is_bound)}")
    figures.append(f"{share(metrics.used_share(one, tried.trial))} of the CPU limit")
    text = ", ".join(figures)
    if not tried.missed:
        scaling = f" {count(one.cell.replicas)} pods serve what one pod promises." if one.cell.replicas > 1 else ""
        return Confirmation(True, f"{shape}: confirmed: {text}.{scaling}")
    if why := void(tried.trial, is_limited=True):
        return Confirmation(False, f"{shape}: void: {why}; {text}. Run it again.")
    return Confirmation(False, f"{shape}: does not meet the objective: {tried.missed}; {text}.")
