"""The values of a trial that arms are compared by, each with the block that it was measured in.

A value of 0 has no ratio to any other: a rate of 0 counts at its bound, others are left out. Must not know what is
compared.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tools import measures
from tools.results import Trial
from tools.stats.series import BlockId, Series

Values = Callable[[Trial], dict[BlockId, float]]


def rates_rps(trial: Trial) -> dict[BlockId, float]:
    """Calls answered OK a second, of each slice, or of the round. One without an answer counts as half a call."""
    slices = trial.result.get("slices")
    if not slices:
        window_s = trial.result["got"]["duration_s"]
        return {BlockId(trial.id.round, 0): max(measures.rate_rps(trial), 0.5 / window_s)} if window_s else {}
    return {
        BlockId(trial.id.round, block): max(one["answered"], 0.5) / _window_s(one) for block, one in enumerate(slices)
    }


def p99s_ns(trial: Trial) -> dict[BlockId, float]:
    """Of each round, as a slice has too few calls. A p99 that is only known to be above a bound has that bound."""
    found = measures.latency(trial, "p99")
    return {} if found is None else {BlockId(trial.id.round, 0): found.ns}


def cpus_ns(trial: Trial) -> dict[BlockId, float]:
    """CPU time of the service per call, of each slice; of each round where only its counters are known."""
    slices = trial.result.get("slices", ())
    if slices and len(trial.slices_cpu_ns) == len(slices):
        return {
            BlockId(trial.id.round, block): cpu_ns / one["counted"]
            for block, (one, cpu_ns) in enumerate(zip(slices, trial.slices_cpu_ns, strict=True))
            if cpu_ns > 0 and one["counted"]
        }
    found = measures.per_call(trial, "cpu_user_ns", "cpu_system_ns")
    return {BlockId(trial.id.round, 0): found} if found else {}


def series(arm: str, rounds: Sequence[Trial], values: Values) -> Series:
    """Of all rounds of one arm at one point."""
    return Series(arm, {block: number for trial in rounds for block, number in values(trial).items()})


def _window_s(one: dict[str, Any]) -> float:
    return float(one["ended_monotonic_ns"] - one["started_monotonic_ns"]) / 1e9
