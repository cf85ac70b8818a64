"""What makes a trial void: its figures are not those of the arm and the load that it names, and are never shown.

Each check returns its reason in one line. Must not know how a trial was made, nor what happens to a void one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from tools import busy, measures
from tools.results import Trial
from tools.units import count, duration, share, three_digits

LATE_NS = 1_000_000
LATE_SHARE = 0.05
"""An open loop makes another load if it sends later than this share of the median latency and later than LATE_NS."""
START_SPREAD_NS = 50_000_000
"""Shards that begin further apart than this do not make the load that was asked for."""
TICK_NS = 10_000_000
"""The unit of /proc/stat (proc(5)). A slice may seem busier than it was by this much."""

TrialCheck = Callable[[Trial], Iterator[str]]
"""Yields each reason in one line."""


def void(trial: Trial, *, is_limited: bool = False, compares_clients: bool = False) -> str:
    """All reasons why the trial is void, in one line; empty if it is a result. A waived reason is not among them.

    `is_limited`: the CPU quota is a part of what is measured, so the trial is not void if the quota stops the service.
    `compares_clients`: the client is what is measured, so the trial is not void if the client is at its limit.
    """
    intended: Mapping[TrialCheck, bool] = {_throttled: is_limited, _driver_busy: compares_clients}
    noise = () if trial.waived else tuple(check for check in _NOISE if not intended.get(check))
    return "; ".join(reason for check in (*noise, *_BROKEN) for reason in check(trial))


def checked(trial: Trial, *, despite_noise: bool) -> Trial:
    """The trial. With `despite_noise`, effects of a noisy machine are in `waived` and do not make it void."""
    if not despite_noise:
        return trial
    return replace(trial, waived="; ".join(reason for check in _NOISE for reason in check(trial)))


def _driver_busy(trial: Trial) -> Iterator[str]:
    if measures.driver_busy(trial) > measures.DRIVER_BUSY_SHARE:
        cpus = three_digits(measures.driver_cpus(trial))
        client = "the driver" if trial.client == "driver" else trial.client
        yield f"{client} used {cpus} CPUs of its {count(trial.driver_cpus)}, so the figures may be its own"


def _sent_late(trial: Trial) -> Iterator[str]:
    late, latency = trial.result["lateness_ns"], trial.result["latency_ns"]
    # A driver with CPU time left sends late only if the service has no room for a call. The service causes that delay.
    taken = measures.driver_busy(trial) + measures.driver_waited_share(trial)
    if taken < measures.DRIVER_BUSY_SHARE / 2 or not latency["count"]:
        return
    if late["p99"] > max(LATE_NS, LATE_SHARE * latency["p50"]):
        yield f"the driver sent calls {duration(late['p99'])} late (p99)"


def _others(trial: Trial) -> Iterator[str]:
    if trial.pods:  # driver and backend may share the node, and count as others there: a warning (tools/busy.py)
        return
    slices = len(trial.result.get("slices", ())) or 1
    unsure = slices * TICK_NS / max(trial.result["got"]["duration_s"] * 1e9, TICK_NS)
    if trial.others_share is not None and trial.others_share > busy.BUSY_SHARE + unsure:
        yield f"other processes took {share(trial.others_share)} of the service's CPUs"


def _throttled(trial: Trial) -> Iterator[str]:
    if trial.pods:  # their limit is intended, and its effect is a notice
        return
    if throttled_ns := measures.throttled_ns(trial):
        yield f"the CPU quota throttled the service for {duration(throttled_ns)}"


def _counters_late(trial: Trial) -> Iterator[str]:
    if late_ns := measures.counters_late_ns(trial):
        yield f"the service's counters were read {duration(late_ns)} late"


def _shards_apart(trial: Trial) -> Iterator[str]:
    if (spread_ns := trial.result["got"]["start_spread_ns"]) > START_SPREAD_NS:
        yield (
            f"the shards of the driver started within {duration(spread_ns)}; at most "
            f"{duration(START_SPREAD_NS)} is allowed"
        )


def _conserved(trial: Trial) -> Iterator[str]:
    calls = trial.result["calls"]
    ended = sum(calls[end] for end in ("ok", "timed_out", "not_sent", "unfinished")) + sum(calls["by_status"].values())
    if calls["planned"] != ended:
        yield f"{count(calls['planned'])} calls were planned, but the result has {count(ended)}"
    if trial.result["latency_ns"]["count"] != calls["ok"]:
        counted = count(trial.result["latency_ns"]["count"])
        yield f"{count(calls['ok'])} calls were answered, but the histogram has {counted}"


_NOISE: tuple[TrialCheck, ...] = (_driver_busy, _sent_late, _others, _throttled, _counters_late)
"""What a noisy machine, or one that is too small, does to a trial."""
_BROKEN: tuple[TrialCheck, ...] = (_shards_apart, _conserved)
"""Reasons why it is not the trial that was asked for."""
