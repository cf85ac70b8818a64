"""The numbers of a cell, each defined once. Must not know how a number is shown."""

from tools import measures
from tools.results import Trial
from tools.scale.cells import SearchedCell

USED_UP = 0.9
"""Replicas that used less than this share of their CPUs, and were not throttled, were not bound by their limit."""


def rates(one: SearchedCell) -> tuple[float, float | None] | None:
    """The highest rate that met the objective, and the lowest that missed it or None. None if no rate met it."""
    return None if one.found.met_rps is None else (one.found.met_rps, one.found.missed_rps)


def middle_rps(one: SearchedCell) -> float | None:
    """One number for the interval: its geometric middle, or the rate that met the objective if none missed it."""
    known = rates(one)
    if known is None:
        return None
    met, missed = known
    return met if missed is None else (met * missed) ** 0.5


def may_tie(one: SearchedCell, other: SearchedCell) -> bool:
    """Whether their intervals overlap, so that these searches do not show which serves more."""
    ours, theirs = rates(one), rates(other)
    if ours is None or theirs is None:
        return ours is theirs
    return _reaches(ours, theirs[0]) and _reaches(theirs, ours[0])


def _reaches(interval: tuple[float, float | None], rate_rps: float) -> bool:
    return interval[1] is None or interval[1] >= rate_rps


def used_share(one: SearchedCell, trial: Trial) -> float:
    """CPU time of all replicas while measuring, as a fraction of what their limits allow."""
    return measures.cpus_used(trial) / one.cell.total_cpus


def throttled_share(trial: Trial) -> float | None:
    """Share of the quota's periods in which a replica used all of it; None if there is no quota."""
    before, after = trial.before.throttling, trial.after.throttling
    periods = after.periods - before.periods
    return (after.throttled_periods - before.throttled_periods) / periods if periods > 0 else None


def held_back_otherwise(one: SearchedCell) -> bool:
    """Whether the last miss had another cause than the CPU limit: a busy machine, or a bound of model or driver."""
    if one.found.missed_rps is None:
        return False
    missed = last_miss(one)
    return used_share(one, missed) < USED_UP and not throttled_share(missed)


def last_miss(one: SearchedCell) -> Trial:
    """The last trial at the lowest rate that missed. Raises IndexError if none did."""
    return [each.trial for each in one.tries if each.missed and each.rate_rps == one.found.missed_rps][-1]
