"""OpenMetrics text, as Prometheus reads it: gauges with the labels arm, point and round, in base units."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client.core import CollectorRegistry, GaugeMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from tools import measures
from tools.results import Trial, TrialId, write_whole

LABELS = ("arm", "point", "round")
Value = Callable[[Trial], float | None]


def _seconds(value: Value) -> Value:
    def scaled(trial: Trial) -> float | None:
        ns = value(trial)
        return None if ns is None else ns / 1e9

    return scaled


GAUGES: Mapping[str, tuple[str, Value]] = {
    "rate_calls_per_second": ("Calls answered OK while measuring, a second.", measures.rate_rps),
    "failed_ratio": ("Failed calls, of those planned.", measures.failed_share),
    "clients_served_ratio": ("Clients that got an answer, of those that had a call to send.", measures.served_share),
    "cpu_per_call_seconds": (
        "CPU time of the service for each call answered OK.",
        _seconds(lambda trial: measures.per_call(trial, "cpu_user_ns", "cpu_system_ns")),
    ),
    "switches_per_call": (
        "Context switches of the service for each call answered OK.",
        lambda trial: measures.per_call(trial, "voluntary_switches", "involuntary_switches"),
    ),
    "memory_pss_bytes": ("Proportional set size of the service at the end.", measures.pss_bytes),
    "longest_wait_seconds": ("Longest time that a client waited for an answer.", _seconds(measures.longest_wait_ns)),
    "duration_seconds": ("Time measured.", lambda trial: trial.result["got"]["duration_s"]),
}
"""Name, without `sweetspot_` -> help, value. A value that is not known has no sample."""


def write(path: Path, trials: Sequence[Trial]) -> None:
    """Raises BadResultsError."""
    registry = CollectorRegistry()
    registry.register(_TrialsCollector(trials))
    write_whole(path, generate_latest(registry).decode())


class _TrialsCollector(Collector):
    def __init__(self, trials: Sequence[Trial]) -> None:
        self._trials = trials

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, (help_, value) in GAUGES.items():
            yield self._family(name, help_, {trial.id: {(): value(trial)} for trial in self._trials})
        latency = "Latency from the intended send; a call that was not answered OK counts as slowest."
        latencies = {trial.id: _latencies(trial) for trial in self._trials}
        yield self._family("latency_seconds", latency, latencies, "quantile")
        ends = {trial.id: _ends(trial) for trial in self._trials}
        yield self._family("calls", "Calls planned, by how they ended.", ends, "end")

    def _family(
        self, name: str, help_: str, values: Mapping[TrialId, Mapping[tuple[str, ...], float | None]], *labels: str
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"sweetspot_{name}", help_, labels=[*LABELS, *labels])
        for trial, of_trial in values.items():
            for own, value in of_trial.items():
                if value is not None:
                    family.add_metric([trial.arm, trial.point, str(trial.round), *own], value)
        return family


def _latencies(trial: Trial) -> dict[tuple[str, ...], float | None]:
    """A percentile of which only a bound is known has no value."""
    values: dict[tuple[str, ...], float | None] = {}
    for name, fraction in measures.PERCENTILES.items():
        found = measures.latency(trial, name)
        values[f"{fraction:g}",] = None if found is None or found.is_bound else found.ns / 1e9
    return values


def _ends(trial: Trial) -> dict[tuple[str, ...], float | None]:
    calls = trial.result["calls"]
    ends = {"OK": calls["ok"], **calls["by_status"]}
    ends |= {end: calls[end] for end in ("timed_out", "not_sent", "unfinished")}
    return {(end,): number for end, number in ends.items()}
