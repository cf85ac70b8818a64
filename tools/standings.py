"""The rank of each arm at each point, over all rounds, with intervals: which cannot be distinguished from the best.

An arm is not ranked by a rate that it reached while it started up. It is also not ranked by a rate that it reached
because it served fewer clients than others. Must not know words, tables or plots.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools import measures
from tools.experiment import Point
from tools.pooling import pooled
from tools.results import Trial
from tools.stats.best import BestGroup, RatioToBest, best_group
from tools.stats.estimate import Estimate
from tools.stats.interval import estimate
from tools.stats.series import Series
from tools.stats.verdict import OF_COSTS, OF_RATES
from tools.units import duration
from tools.values import p99s_ns, rates_rps, series
from tools.words import clients

Rank = Literal["best", "tied", "behind", "unranked"]
"""`tied`: cannot be distinguished from the best. `unranked`: `why` states what its figures are instead."""

START_UP = "start-up, not a rate"
"""Why an arm that was not steady yet is not ranked."""
FEW_ANSWERS = "too few answers for its clients"
"""The same in a closed loop that answered less than FEWEST_ANSWERS of its open calls in the time measured."""
FEWEST_ANSWERS = 0.1
FEWER_CLIENTS = 0.01
"""An arm that serves a smaller share of its clients than another, by more than this, is not compared with it."""
LEAST_RATE_SHARE = 0.95
"""An open loop is served if this share of its rate is answered."""
DRIFT = 1.5
"""The second half of a window divided by its first: 1 for a steady service, much more for one that still starts."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One arm at one point."""

    trial: Trial
    """Its rounds together."""
    rounds: int
    rank: Rank
    values: Series
    """Of the measure that ranks: one for each block, or for each round."""
    value: Estimate | None
    """Their mean; None if there is none."""
    rate: Estimate | None
    """In calls a second; None if the service was not steady, or did not serve all clients."""
    why: str
    """Why it is not ranked, in a few words; empty if it is."""
    against: RatioToBest | None
    """The best arm beside it; None for the best, and for one that is not ranked."""

    @property
    def arm(self) -> str:
        """Its name."""
        return self.trial.arm


@dataclass(frozen=True, slots=True)
class PointStandings:
    """One point."""

    point: Point
    measure: Literal["rate", "p99"]
    """What ranks: calls a second, higher is better; or latency in ns, if all answer the rate of one open loop."""
    standings: tuple[Standing, ...]
    """The best first, those that are not ranked last."""

    @property
    def described(self) -> str:
        """As `100 connections, 400 calls/s`."""
        return self.point.described

    @property
    def ranked(self) -> tuple[Standing, ...]:
        """Those that are ranked."""
        return tuple(one for one in self.standings if one.rank != "unranked")

    @property
    def best(self) -> tuple[Standing, ...]:
        """The best, and those that cannot be distinguished from it."""
        return tuple(one for one in self.standings if one.rank in {"best", "tied"})


def standings(trials: Sequence[Trial]) -> tuple[PointStandings, ...]:
    """The ranks of the arms at every point of the load with a result, in ascending order of the point's values."""
    points: dict[str, list[Trial]] = {}
    for trial in trials:
        points.setdefault(trial.id.point, []).append(trial)
    found = [_at(of_point) for of_point in points.values()]
    return tuple(sorted(found, key=lambda at: at.point.order))


def compared(found: Sequence[PointStandings]) -> PointStandings | None:
    """The point that the answer is about: the last one at which enough arms have a result; None without a point.

    One void trial must not move the answer to another point. So a fifth of the arms may be missing, and at least one of
    three or more. If no point has enough, it is the last of those with the most arms.
    """
    arms = len({one.arm for at in found for one in at.standings})
    enough = arms - max(arms // 5, 1 if arms > 2 else 0)
    return max(found, key=lambda at: (min(len(at.standings), enough), found.index(at)), default=None)


def unsteady(trial: Trial) -> bool:
    """Whether the service was still starting up, or running down, in the time measured: it then has no rate.

    Calls of a closed loop come in waves: all clients have sent at once, and are answered one after the other. A half
    may have a wave more than the other. A window with less than a wave has clients that are not served, and shows that.
    """
    tenths = trial.result["got"].get("answered_by_tenth")
    asked = trial.result["asked"]
    # A schedule changes its rate by itself.
    if not tenths or asked.get("schedule"):
        return False
    wave = trial.connections * (asked["streams"] or 0)
    half = len(tenths) // 2
    first, second = sum(tenths[:half]), sum(tenths[half:])
    # Beyond chance: counts of independent calls differ by their square root.
    apart = abs(first - second) > 4 * math.sqrt(first + second) + wave
    return apart and not 1 / DRIFT < (second + 1) / (first + 1) < DRIFT


def has_few_answers(trial: Trial) -> bool:
    """Whether hardly any client of a closed loop had an answer: 1,000 threads that start answer 0 to 300 calls/s."""
    open_calls = trial.connections * (trial.result["asked"]["streams"] or 0)
    return bool(trial.result["got"]["answered"] < FEWEST_ANSWERS * open_calls)


def _at(trials: Sequence[Trial]) -> PointStandings:
    of_arm: dict[str, list[Trial]] = {}
    for trial in trials:
        of_arm.setdefault(trial.arm, []).append(trial)
    wholes = {arm: pooled(rounds) for arm, rounds in of_arm.items()}
    most_served = max(((measures.served_share(trial) or 0.0) for trial in wholes.values()), default=0.0)
    whys = {arm: _why_unranked(wholes[arm], rounds, most_served) for arm, rounds in of_arm.items()}
    ranked = [arm for arm, why in whys.items() if not why]
    bounds = {arm: _p99_bound(of_arm[arm]) for arm in ranked}
    by_p99 = len(ranked) > 1 and _serve_the_same([of_arm[arm] for arm in ranked]) and not all(bounds.values())
    rateless = {arm for arm, why in whys.items() if why}
    if by_p99:
        whys |= {arm: bound for arm, bound in bounds.items() if bound}
        ranked = [arm for arm in ranked if not bounds[arm]]
    value = p99s_ns if by_p99 else rates_rps
    values = {arm: series(arm, rounds, value) for arm, rounds in of_arm.items()}
    ranked = [arm for arm in ranked if values[arm].values]
    group = _group([values[arm] for arm in ranked], by_p99=by_p99)
    ranks = _ranks(group)
    beside = {one.arm: one for one in group.others} if group else {}
    found = [
        Standing(
            trial=wholes[arm],
            rounds=len(rounds),
            rank=ranks.get(arm, "unranked"),
            values=values[arm],
            value=_estimate(values[arm]),
            rate=None if arm in rateless else _estimate(series(arm, rounds, rates_rps)),
            why=whys[arm] or ("" if arm in ranks else "too few calls"),
            against=beside.get(arm),
        )
        for arm, rounds in of_arm.items()
    ]
    return PointStandings(
        point=trials[0].point,
        measure="p99" if by_p99 else "rate",
        standings=tuple(sorted(found, key=lambda one: _order(one, lower=by_p99))),
    )


def reaches_rate(trial: Trial) -> bool:
    """Whether the service answered, in one round, the calls that an open loop or a schedule asked."""
    asked, calls = trial.result["asked"], trial.result["calls"]
    if asked["rate_rps"] is not None:
        return bool(measures.rate_rps(trial) >= asked["rate_rps"] * LEAST_RATE_SHARE)
    return asked["loop"] == "open" and bool(calls["ok"] >= calls["planned"] * LEAST_RATE_SHARE > 0)


def _serve_the_same(arms: Sequence[Sequence[Trial]]) -> bool:
    """Whether every round answers its rate, and all have one rate. A multiple of capacity differs in each round."""
    rounds = [trial for of_arm in arms for trial in of_arm]
    return all(map(reaches_rate, rounds)) and len({trial.result["asked"]["rate_rps"] for trial in rounds}) == 1


def _p99_bound(rounds: Sequence[Trial]) -> str:
    """As `p99 > 1 s`, if the p99 of a round is only known to be above that; empty if there is no such round."""
    found = [measures.latency(trial, "p99") for trial in rounds]
    most_ns = max((one.ns for one in found if one and one.is_bound), default=None)
    return "" if most_ns is None else f"p99 {duration(most_ns, is_bound=True)}"


def _why_unranked(trial: Trial, rounds: Sequence[Trial], most_served: float) -> str:
    if not measures.rate_rps(trial):
        return "answered no call"
    served = measures.clients_served(trial)
    if served is not None and served[0] / served[1] < most_served - FEWER_CLIENTS:
        return f"served {clients(served)} clients"
    if any(map(has_few_answers, rounds)):
        return FEW_ANSWERS
    return START_UP if any(map(unsteady, rounds)) else ""


def _estimate(values: Series) -> Estimate | None:
    return estimate(values) if values.values else None


def _group(arms: Sequence[Series], *, by_p99: bool) -> BestGroup | None:
    if not arms:
        return None
    return best_group(arms, "lower", words=OF_COSTS) if by_p99 else best_group(arms, "higher", words=OF_RATES)


def _ranks(group: BestGroup | None) -> dict[str, Rank]:
    if group is None:
        return {}
    return {
        group.best: "best",
        **dict.fromkeys(group.not_distinguishable, "tied"),
        **dict.fromkeys(group.worse, "behind"),
    }


def _order(one: Standing, *, lower: bool) -> tuple[bool, bool, float, str]:
    value = one.value.value if one.value else 0.0
    return one.rank == "unranked", one.rank != "best", value if lower else -value, one.arm
