"""Whether other processes took CPU that a service was to have, and the words for it. Reads nothing.

A trial of a busy machine is a result with a warning: its figures are of the machine, not of the model.
"""

from tools.results import Trial
from tools.units import share

BUSY_SHARE = 0.05
"""About what one trial differs from its repetition on a quiet machine."""
STARVED_SHARE = 0.5
"""A service that has less than half of its CPU may be late for no fault of its own: time limits are for a whole one."""


def taken_share(*, others_ns: float, elapsed_ns: float, processors: float, cpus: float) -> float:
    """The share of a service's CPUs that other processes took.

    For `elapsed_ns` the service was allowed `cpus` of a number of `processors`, and other processes ran there for
    `others_ns`. What they used of processors that the service has no use for does not count.
    """
    left = processors - others_ns / elapsed_ns if elapsed_ns else processors
    return min(max(1 - left / cpus, 0.0), 1.0)


def words(trial: Trial) -> str:
    """What a reader must know; empty where the machine was not busy, or where that is not known."""
    return words_for(trial.others_share or 0.0)


def words_for(taken: float) -> str:
    """The same for a share of the service's CPUs."""
    if taken <= BUSY_SHARE:
        return ""
    return f"the machine was busy: other processes took {share(taken)} of the service's CPU"


def is_busy(trial: Trial) -> bool:
    """Whether others took so much that the trial's figures are not the model's alone."""
    return bool(words(trial))
