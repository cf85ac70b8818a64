"""The arms of one run: each beside the best at its point, in every measure.

Pairs are values of one block, so that the machine's speed cancels out. Holm's correction keeps the chance of any wrong
difference among the pairs of one measure at one point at 5 %.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools import bundle
from tools.compare.figures import BETTER, VALUES, Name
from tools.compare.runs import OF_COSTS
from tools.results import BadResultsError, Trial, read_trials
from tools.standings import At, standings
from tools.stats.estimate import Estimate
from tools.stats.holm import holm
from tools.stats.interval import ratio
from tools.stats.line import line
from tools.stats.significance import p_value
from tools.stats.verdict import OF_RATES, Verdict, verdict
from tools.values import series

LEVEL = 0.05


def lines(folder: Path) -> Iterator[str]:
    """A line for each pair, as `at 100   reactor / seda   rate 1.15 [1.12, 1.18]   faster   64 pairs, ...`.

    Raises BadResultsError.
    """
    bundle.read(folder)
    found = read_trials(folder)
    if found.problems:
        raise BadResultsError(f"{folder}: {found.problems[0]}: `sweetspot verify` names every problem")
    for at in standings(found.trials):
        rounds: dict[str, list[Trial]] = {}
        for trial in found.trials:
            if trial.id.point == at.point.name:
                rounds.setdefault(trial.arm, []).append(trial)
        yield from _at(at, rounds)


def _at(at: At, rounds: Mapping[str, Sequence[Trial]]) -> Iterator[str]:
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


def _pairs(name: Name, best: str, others: Sequence[str], rounds: Mapping[str, Sequence[Trial]]) -> Iterator[str]:
    values = {arm: series(arm, rounds[arm], VALUES[name]) for arm in (best, *others)}
    ratios: dict[str, Estimate] = {}
    for other in others:
        if values[best].values.keys() & values[other].values.keys():
            ratios[other] = ratio(values[best], values[other])
    adjusted = holm({other: p_value(found) for other, found in ratios.items()})
    for other, found in ratios.items():
        decided = _corrected(name, found, adjusted[other])
        duration_s = sum(trial.result["got"]["duration_s"] for arm in (best, other) for trial in rounds[arm])
        yield line(best, other, name, found, decided, duration_s=duration_s)


def _corrected(name: Name, found: Estimate, adjusted: float) -> Verdict:
    decided = verdict(found, BETTER[name], words=OF_RATES if name == "rate" else OF_COSTS)
    if adjusted <= LEVEL:
        return decided
    return dataclasses.replace(decided, outcome="not distinguishable", word="not distinguishable")
