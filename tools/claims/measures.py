"""What a claim can ask of a trial, by name: a figure, its unit, and how it is written."""

import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tools import measures
from tools.measures import Latency
from tools.results import Trial
from tools.units import duration, size

Speed = Literal["rate", "CPU", "none"]
"""Of calls and answers; of the service by its own clock; none in memory and counts."""


@dataclass(frozen=True, slots=True)
class ClaimMeasure:
    """A figure of a trial."""

    of: Callable[[Trial], float | Latency | None]
    """None: not known. A bound of a latency is one."""
    text: Callable[[float], str]
    """With its unit."""
    speed: Speed = "rate"
    """The speed of the machine that it depends on. CPU time of other processes changes only `rate`."""


def number(value: float) -> str:
    """Three digits."""
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _with(unit: str) -> Callable[[float], str]:
    return lambda value: f"{number(value)} {unit}"


def _share(value: float) -> str:
    return f"{number(100 * value)} %"


def _planned(trial: Trial) -> int:
    planned: int = trial.result["calls"]["planned"]
    return planned


def _ok(trial: Trial) -> int:
    answered: int = trial.result["calls"]["ok"]
    return answered


def _cpu_per_call_ns(trial: Trial) -> float | None:
    """By clocks with nanoseconds, where they were read: the counters of a snapshot are in ticks of 10 ms."""
    if trial.slices_cpu_ns and trial.counted:
        return sum(trial.slices_cpu_ns) / trial.counted
    return measures.per_call(trial, "cpu_user_ns", "cpu_system_ns")


def _of_answered(percentile: str) -> Callable[[Trial], float | None]:
    """Only of calls answered OK. In `latency_p99_ns`, the other calls count as the slowest."""

    def read(trial: Trial) -> float | None:
        found: float | None = trial.result["latency_ns"][percentile]
        return found

    return read


def _aborted(trial: Trial) -> int:
    """Calls that were aborted because a lock was not free in time."""
    aborted: int = trial.result["calls"]["by_status"].get("ABORTED", 0)
    return aborted


def _first_answer_p50_ns(trial: Trial) -> float | None:
    """From the opening of a new connection to its first answer, without the time in which no call was due."""
    times = trial.result.get("first_answer_ns") or {}
    return times.get("p50")


def _worker_share_cov(trial: Trial) -> float | None:
    """Coefficient of variation of the answers over the processes that gave one, from a sample of the replies.

    0 where all gave the same; None where there is one process.
    """
    answers: Counter[str] = Counter()
    for server, number_of in trial.result["served_by"].items():
        host, process, _ = server.split("/", 2)
        answers[f"{host}/{process}"] += number_of
    return statistics.pstdev(answers.values()) / statistics.fmean(answers.values()) if len(answers) > 1 else None


MEASURES = {
    "rate_rps": ClaimMeasure(measures.rate_rps, _with("calls/s")),
    "goodput_rps": ClaimMeasure(measures.goodput_rps, _with("calls/s")),
    "latency_p50_ns": ClaimMeasure(lambda trial: measures.latency(trial, "p50"), duration),
    "latency_p90_ns": ClaimMeasure(lambda trial: measures.latency(trial, "p90"), duration),
    "latency_p99_ns": ClaimMeasure(lambda trial: measures.latency(trial, "p99"), duration),
    "longest_wait_ns": ClaimMeasure(measures.longest_wait_ns, duration),
    "answered_p90_ns": ClaimMeasure(_of_answered("p90"), duration),
    "answered_p99_ns": ClaimMeasure(_of_answered("p99"), duration),
    "cpu_per_call_ns": ClaimMeasure(_cpu_per_call_ns, duration, speed="CPU"),
    "cpus_used": ClaimMeasure(measures.cpus_used, _with("CPUs")),
    "switches_per_call": ClaimMeasure(
        lambda trial: measures.per_call(trial, "voluntary_switches", "involuntary_switches"), number, speed="none"
    ),
    "involuntary_per_call": ClaimMeasure(lambda trial: measures.per_call(trial, "involuntary_switches"), number),
    "pss_bytes": ClaimMeasure(measures.pss_bytes, size, speed="none"),
    "vsz_bytes": ClaimMeasure(lambda trial: trial.after.vsz_bytes or None, size, speed="none"),
    "loop_lag_max_ns": ClaimMeasure(measures.loop_lag_max_ns, duration),
    "served_share": ClaimMeasure(measures.served_share, _share),
    "failed_share": ClaimMeasure(measures.failed_share, _share),
    "jain": ClaimMeasure(measures.jain, number),
    "lost_updates": ClaimMeasure(measures.lost_updates, number, speed="none"),
    "aborted_transfers": ClaimMeasure(
        lambda trial: trial.after.aborted_transfers - trial.before.aborted_transfers, number, speed="none"
    ),
    "rejected_calls": ClaimMeasure(
        lambda trial: sum(trial.result["calls"]["by_status"].values()), number, speed="none"
    ),
    "aborted_calls": ClaimMeasure(_aborted, number, speed="none"),
    "updates": ClaimMeasure(measures.updates, number, speed="none"),
    "first_answer_p50_ns": ClaimMeasure(_first_answer_p50_ns, duration),
    "worker_share_cov": ClaimMeasure(_worker_share_cov, number, speed="none"),
    "calls_planned": ClaimMeasure(_planned, number, speed="none"),
    "calls_ok": ClaimMeasure(_ok, number, speed="none"),
}
"""Rates are calls answered OK while measuring. "Per call" is per call answered OK (tools/measures.py)."""
