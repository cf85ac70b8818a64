"""What the bench must reach, and whether it did: pure arithmetic over the trials of its experiments.

Goals are ratios within a round: rates of two machines cannot be compared. Must not know how a trial is run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools import measures
from tools.bench.experiments import BUSY, BY_DRIVER, ECHO, IDLE, IDLE_CONNECTIONS, TRACED
from tools.results import Trial
from tools.stats.estimate import Estimate
from tools.stats.interval import ratio
from tools.stats.series import BlockId
from tools.values import cpus_ns, rates_rps, series

CLIENTS = "clients"
"""The built-in experiment that compares clients."""
KIB = 1024
IDLE_MOST_KIB = 16.0


def _latency(percentile: str) -> Callable[[Trial], dict[BlockId, float]]:
    def values(trial: Trial) -> dict[BlockId, float]:
        found = measures.latency(trial, percentile)
        return {} if found is None or found.is_bound else {BlockId(trial.id.round, 0): found.ns}

    return values


MEASURES = {"calls/s": rates_rps, "p50": _latency("p50"), "p99": _latency("p99")}


@dataclass(frozen=True, slots=True)
class Goal:
    """The ratio of two arms at one point of an experiment is within bounds."""

    experiment: str
    arm: str
    baseline: str
    point: str
    least: float
    most: float | None = None
    measure: str = "calls/s"
    """A key of MEASURES."""


GOALS = (
    Goal(ECHO, "reactor", "grpcio_asyncio", "64", 6.0),
    Goal(BUSY, "reactor", "grpcio_asyncio", "10", 12.0),
    Goal(ECHO, "reactor", "nghttpd", "64", 0.30),
    Goal(BUSY, "reactor", "nghttpd", "10", 0.45),
    Goal(BUSY, "coroutines", "reactor", "10", 0.80),
    Goal(ECHO, "reactor", "thread_per_connection", "1000", 3.0),
    Goal(BUSY, BY_DRIVER, "reactor", "10", 0.90),
    Goal(BUSY, TRACED, "reactor", "10", 0.95),
    Goal(CLIENTS, "driver", "h2load", "10-s10", 0.95),
    Goal(CLIENTS, "driver", "ghz", "10-s10", 1.5),
    Goal(CLIENTS, "driver", "k6", "10-s10", 4.0),
    Goal(CLIENTS, "driver", "h2load", "10-s1", 0.95, 1.05, "p50"),
    Goal(CLIENTS, "driver", "h2load", "10-s10", 0.95, 1.05, "p50"),
    Goal(CLIENTS, "driver", "h2load", "10-s1", 0.85, 1.15, "p99"),
    Goal(CLIENTS, "driver", "h2load", "10-s10", 0.85, 1.15, "p99"),
)


@dataclass(frozen=True, slots=True)
class GoalResult:
    """A goal, as texts and numbers; `got` and what follows is None if it was not measured."""

    what: str
    at: str
    """The point, as `64 connections`."""
    asked: str
    got: Estimate | None
    by_cpu: float | None
    """The same ratio of the service's CPU time per call. It does not depend on what bounded the rates."""
    reached: bool | None


def arms(goals: Iterable[Goal] = GOALS) -> dict[str, frozenset[str]]:
    """Experiment -> the arms that its goals compare."""
    found: dict[str, set[str]] = {IDLE: {"reactor"}}
    for goal in goals:
        found.setdefault(goal.experiment, set()).update((goal.arm, goal.baseline))
    return {name: frozenset(each) for name, each in found.items()}


def results(trials: Mapping[str, Sequence[Trial]], goals: Iterable[Goal] = GOALS) -> Iterator[GoalResult]:
    """The result of each goal of an experiment that was run. `trials` are those of each."""
    for goal in goals:
        if goal.experiment in trials:
            yield _result(goal, trials[goal.experiment])


def _result(goal: Goal, trials: Sequence[Trial]) -> GoalResult:
    first, second = (
        [trial for trial in trials if (trial.arm, trial.id.point) == (arm, goal.point)]
        for arm in (goal.arm, goal.baseline)
    )
    what = f"{goal.measure} of {goal.arm} / {goal.baseline}"
    asked = f">= {goal.least:g}" if goal.most is None else f"{goal.least:g} to {goal.most:g}"
    at = next((trial.point.described for trial in (*first, *second)), goal.point)
    got = _ratio(goal, first, second, MEASURES[goal.measure])
    if got is None:
        return GoalResult(what, at, asked, None, None, None)
    cost = _ratio(goal, second, first, cpus_ns) if goal.measure == "calls/s" else None
    reached = goal.least <= got.value and (goal.most is None or got.value <= goal.most)
    return GoalResult(what, at, asked, got, cost.value if cost else None, reached)


def _ratio(
    goal: Goal, first: Sequence[Trial], second: Sequence[Trial], values: Callable[[Trial], dict[BlockId, float]]
) -> Estimate | None:
    one, other = series(goal.arm, first, values), series(goal.baseline, second, values)
    return ratio(one, other) if one.values.keys() & other.values.keys() else None


def idle_kib(trials: Sequence[Trial]) -> list[float]:
    """Growth of the RSS for each idle connection, of each round that has a trial without them and one with them."""
    rss = {(trial.id.round, trial.point.idle): trial.after.rss_bytes for trial in trials}
    rounds = sorted({number for number, _ in rss})
    return [
        (rss[number, IDLE_CONNECTIONS] - rss[number, 0]) / KIB / IDLE_CONNECTIONS
        for number in rounds
        if (number, 0) in rss and (number, IDLE_CONNECTIONS) in rss
    ]
