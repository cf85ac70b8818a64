"""The arms of one run: each beside the best at its point, in every measure.

Pairs are values of one block, so that the machine's speed cancels out. Verdicts are corrected for the number of pairs
(tools/stats/best.py): those of the measure that ranks are those of the answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools import bundle
from tools.aa import self_ratio
from tools.compare.figures import BETTER, VALUES, ValueName
from tools.results import BadResultsError, Trial, read_trials
from tools.standings import PointStandings, standings
from tools.stats.best import against
from tools.stats.line import against_line
from tools.stats.verdict import OF_COSTS, OF_RATES
from tools.values import series


def lines(folder: Path) -> Iterator[str]:
    """A line for each pair, as `at 100   reactor / seda   rate 1.15 [1.12, 1.18]   faster   64 pairs, ...`.

    Raises BadResultsError.
    """
    bundle.read(folder)
    found = read_trials(folder)
    if found.problems:
        raise BadResultsError(f"{folder}: {found.problems[0]}: `sweetspot verify` lists all problems")
    for at in standings(found.trials):
        rounds: dict[str, list[Trial]] = {}
        for trial in found.trials:
            if trial.id.point == at.point.name:
                rounds.setdefault(trial.arm, []).append(trial)
        yield from _at(at, rounds)
        if itself := self_ratio(at, found.trials, found.again):
            yield str(itself)


def _at(at: PointStandings, rounds: Mapping[str, Sequence[Trial]]) -> Iterator[str]:
    if not at.ranked:
        yield f"at {at.point.name}   no arm has a figure to compare"
        return
    best, *others = [one.arm for one in at.ranked]
    closed = at.standings[0].trial.result["asked"]["loop"] == "closed"
    for name in VALUES if closed else ("p99", "CPU/call"):
        yield from (f"at {at.point.name}   {text}" for text in _pairs(name, best, others, rounds))
    yield from (
        f"at {at.point.name}   {one.arm}   not compared: {one.why}" for one in at.standings if one.rank == "unranked"
    )


def _pairs(name: ValueName, best: str, others: Sequence[str], rounds: Mapping[str, Sequence[Trial]]) -> Iterator[str]:
    values = {arm: series(arm, rounds[arm], VALUES[name]) for arm in (best, *others)}
    known = [values[other] for other in others if values[other].values]
    if not values[best].values:
        return
    for one in against(values[best], known, BETTER[name], words=OF_RATES if name == "rate" else OF_COSTS):
        duration_s = sum(trial.result["got"]["duration_s"] for arm in (best, one.arm) for trial in rounds[arm])
        yield against_line(best, name, one, duration_s=duration_s)
