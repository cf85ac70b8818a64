"""Whether a run of two arms may stop before its last round: every point is decided (tools/stats/looks.py).

Must not know how a round is run.
"""

from collections.abc import Sequence

from tools.experiment import Experiment
from tools.results import Trial
from tools.standings import PointStandings, standings
from tools.stats.estimate import LEAST_STARTS
from tools.stats.looks import decided as looked


def decided(asked: Experiment, stored: Sequence[Trial]) -> bool:
    """Whether more rounds would change no verdict. `kept` are the trials of all rounds so far."""
    points = standings(stored)
    return len(points) == len(asked.points) and all(map(_decided, points))


def _decided(at: PointStandings) -> bool:
    if len(at.ranked) < 2:
        # One has no figure to be compared: more rounds give it none, but one may be too few to see that.
        return len(at.standings) == 2 and min(one.rounds for one in at.standings) >= LEAST_STARTS
    first, second = (one.values for one in at.ranked)
    return looked(len(first.values.keys() | second.values.keys()), first, second)
