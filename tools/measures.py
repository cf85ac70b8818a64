"""The numbers of a trial, each defined once. Must not know how a number is shown.

"Per call" always means per call answered OK: what a service spends on calls that fail is part of the cost of the
others. None means not known, which is never the same as 0.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tools import histogram
from tools.results import Trial

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
"""Keys of the driver's result -> fraction of calls at or below."""


def samples_needed(fraction: float) -> int:
    """Samples that a percentile needs so that at least one lies beyond it: 1,000 for p99.9."""
    return round(1 / (1 - fraction))


@dataclass(frozen=True, slots=True)
class Latency:
    """A percentile of latency."""

    ns: float
    is_bound: bool = False
    """It is more than `ns`. How much more is not known, because too many calls were not answered."""


def latency(trial: Trial, percentile: str) -> Latency | None:
    """Latency from the intended send; None if there are too few calls for that percentile.

    A call that was not answered OK counts as slower than any answer: not sent, timed out, unfinished or failed. In a
    closed loop, a client that got no answer also counts as slower, with the weight of any other client.
    """
    calls, latencies = trial.result["calls"], trial.result["latency_ns"]
    fraction = PERCENTILES[percentile]
    if calls["planned"] < samples_needed(fraction):
        return None
    answered = answered_share(trial)
    if answered < fraction or not latencies["count"]:
        return Latency(_bound_ns(trial), is_bound=True)
    if answered == 1:
        return Latency(latencies[percentile])
    try:
        value_ns = histogram.value_at(latencies["histogram"], fraction / answered)
    except ValueError:
        return None
    return Latency(min(value_ns, latencies["max"]))


def answered_share(trial: Trial) -> float:
    """The share of calls that percentiles of latency can be read from; the others count as slower.

    Clients of a closed loop that are not served send few calls. So their share is that of clients, not that of calls.
    """
    calls, clients = trial.result["calls"], _clients(trial)
    if not clients or trial.result["asked"]["loop"] == "open":
        return _share(calls["ok"], calls["planned"])
    served = _share(clients["served"], clients["asked"])
    return served * _share(calls["ok"], calls["planned"] - clients["calls_of_unserved"])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _bound_ns(trial: Trial) -> float:
    """The least time of a call that was not answered: the time measured at once, or the timeout if it is shorter."""
    result = trial.result
    windows = [each["ended_monotonic_ns"] - each["started_monotonic_ns"] for each in result.get("slices", ())]
    # If rounds are added up, `got` has their sum. If one was interrupted, the time in `asked` was not measured.
    window_ns = max(windows, default=min(result["got"]["duration_s"], result["asked"]["duration_s"]) * 1e9)
    bounds_ns: list[float] = [min(window_ns, result["asked"]["timeout_s"] * 1e9), result["latency_ns"]["max"] or 0]
    return max(bounds_ns)


def clients_served(trial: Trial) -> tuple[int, int] | None:
    """How many clients got an answer, and how many had a call to send; None in results that do not count them."""
    clients = _clients(trial)
    return (clients["served"], clients["asked"]) if clients else None


def served_share(trial: Trial) -> float | None:
    """The same as a fraction; 1 if no client had a call to send."""
    counted = clients_served(trial)
    return None if counted is None else _share(*counted)


def jain(trial: Trial) -> float | None:
    """Jain's index of fairness of the answers over clients: 1 if all get the same, 1/n if one of n gets all."""
    index: float | None = _clients(trial).get("jain")
    return index


def longest_wait_ns(trial: Trial) -> int | None:
    """Longest time while measuring that a client had a call due and got no answer."""
    wait_ns: int | None = _clients(trial).get("longest_wait_ns")
    return wait_ns


def _clients(trial: Trial) -> Mapping[str, Any]:
    """Empty in results that do not count them."""
    return trial.result.get("clients") or {}


def rate_rps(trial: Trial) -> float:
    """Calls answered OK per second, while measuring."""
    return float(trial.result["got"]["rate_rps"])


def kinds(trial: Trial) -> dict[str, Trial]:
    """Each kind of call in a mix -> the trial with the calls, latencies and checksums of that kind alone.

    Empty without a mix. Such a trial has no figures of clients, because clients are not counted for each kind.
    """
    known = trial.result.get("kinds") or {}
    return {
        name: replace(trial, result={**trial.result, **kind, "clients": None, "kinds": {}})
        for name, kind in known.items()
    }


def goodput_rps(trial: Trial) -> float | None:
    """Calls answered OK within the deadline per second, while measuring; None without a deadline."""
    got = trial.result["got"]
    within: int | None = got.get("within_deadline")
    return None if within is None else within / got["duration_s"] if got["duration_s"] else 0.0


def stream_ns(trial: Trial, times: str, percentile: str) -> float | None:
    """Of streamed replies: `first_message_ns`, from the intended send to the first message, or `gap_ns`, from a message
    to the next one. None where replies are not streamed, or there are too few for that percentile."""
    found = (trial.result.get("stream") or {}).get(times)
    if not found or found["count"] < samples_needed(PERCENTILES[percentile]):
        return None
    value_ns: float = found[percentile]
    return value_ns


def failures(trial: Trial) -> dict[str, int]:
    """Reason -> calls that failed, the most frequent first. Unfinished calls are not failed ones."""
    calls = trial.result["calls"]
    reasons = {**calls["by_status"], "timed out": calls["timed_out"], "not sent": calls["not_sent"]}
    return {reason: number for reason, number in sorted(reasons.items(), key=lambda item: -item[1]) if number}


def failed_share(trial: Trial) -> float:
    """Failed calls as a fraction of those planned; 0 where none was planned."""
    planned: int = trial.result["calls"]["planned"]
    return sum(failures(trial).values()) / planned if planned else 0.0


def per_call(trial: Trial, *counters: str) -> float | None:
    """The growth of those counters of the snapshot while measuring, added up, per call."""
    answered: int = trial.result["got"]["answered"] if trial.counted is None else trial.counted
    grown: int = sum(getattr(trial.after, counter) - getattr(trial.before, counter) for counter in counters)
    # Switches are counted over living threads: if threads ended while measuring, the difference has no meaning.
    return grown / answered if answered and grown >= 0 else None


ONE_CPU = 1.15
"""CPUs that one process with an interpreter lock uses at most: one, and a part for work without the lock."""


def cpus_used(trial: Trial) -> float:
    """CPUs that the service used while measuring. They follow from `per_call`: counters may include the warm-up."""
    per_call_ns = per_call(trial, "cpu_user_ns", "cpu_system_ns")
    return per_call_ns / 1e9 * rate_rps(trial) if per_call_ns else 0.0


def pss_bytes(trial: Trial) -> int | None:
    """Proportional set size of the service's processes when measuring ended."""
    return trial.after.pss_bytes or None


def pss_per_connection_bytes(trial: Trial, fewest: Trial) -> float | None:
    """Memory that each connection added, against the same model's trial with the fewest connections.

    A difference, because the interpreter and its libraries would hide what a connection costs.
    """
    more, base, added = pss_bytes(trial), pss_bytes(fewest), trial.connections - fewest.connections
    return (more - base) / added if more and base and added > 0 else None


def loop_lag_max_ns(trial: Trial) -> int | None:
    """Longest iteration of the event loop while measuring; None if there is no loop."""
    return trial.after.loop_lag_max_ns if trial.after.HasField("loop_lag_max_ns") else None


def throttled_ns(trial: Trial) -> int:
    """Time for which the CPU quota stopped the service while measuring; 0 if there is no quota."""
    return trial.after.throttling.throttled_ns - trial.before.throttling.throttled_ns


def lost_updates(trial: Trial) -> int:
    """Updates of accounts that transfers are known to have lost while measuring."""
    return trial.after.lost_updates - trial.before.lost_updates


def updates(trial: Trial) -> int:
    """Updates of accounts by the calls that `lost_updates` counts: two for each transfer of a call answered OK."""
    plan = trial.result["plan"]
    if mix := plan.get("mix"):
        ok: dict[str, int] = {name: kind["calls"]["ok"] for name, kind in trial.result["kinds"].items()}
        return 2 * sum(_transfers(each) * ok[name] for name, each in mix.items())
    answered: int = trial.result["got"]["answered"] if trial.counted is None else trial.counted
    return 2 * _transfers(plan) * answered


def _transfers(plan: Mapping[str, Any]) -> int:
    return sum("transfer" in step for step in plan.get("steps", ()))


def driver_cpus(trial: Trial) -> float:
    """CPUs that the driver used; those of the busiest driver if there are several."""
    duration_s = trial.result["got"]["duration_s"]
    busiest_ns: int = max(shard["cpu_ns"] for shard in trial.result["shards"])
    return busiest_ns / 1e9 / duration_s if duration_s else 0.0


def driver_waited_share(trial: Trial) -> float:
    """The share of the time measured in which the driver could run and had no processor; 0 if it is not known."""
    duration_s = trial.result["got"]["duration_s"]
    waited_ns: int = trial.result["driver"].get("waited_ns", 0)
    return waited_ns / 1e9 / duration_s / len(trial.result["shards"]) if duration_s else 0.0


DRIVER_BUSY_SHARE = 0.9
"""A driver is one process with one thread of Python. Above this share of a CPU, it is at its limit."""


def driver_busy(trial: Trial) -> float:
    """The same as a share of what it may use. Near 1, the figures may be those of the driver, not of the service."""
    return driver_cpus(trial) / trial.driver_cpus


def share_of_pods(trial: Trial) -> dict[str, float]:
    """Host -> its share of the calls answered OK. A pod that answered none has 0."""
    answered = {pod["name"]: 0 for pod in trial.pods} | {pod["host"]: pod["answered"] for pod in trial.result["pods"]}
    total = sum(answered.values())
    return {host: number / total for host, number in answered.items()} if total else {}


def share_variation(trial: Trial) -> float | None:
    """Coefficient of variation of those shares: 0 if all pods do the same, sqrt(n - 1) if one of n does all."""
    shares = share_of_pods(trial).values()
    return statistics.pstdev(shares) / statistics.fmean(shares) if len(shares) > 1 else None


def first_call_waits_ns(trial: Trial) -> dict[str, int | None]:
    """Pod that became ready during the run -> how long it then waited for its first call; None: to the end."""
    waits: dict[str, int | None] = {}
    for pod in trial.pods:
        if pod["ready_ns"] is not None and pod["ready_ns"] > 0:
            first_ns = pod["first_answer_ns"]
            waits[pod["name"]] = None if first_ns is None else max(first_ns - pod["ready_ns"], 0)
    return waits


LATE_SHARE = 0.1
"""Counters read later than this share of the time measured also count other time: load before, or idle time after."""


def counters_late_ns(trial: Trial) -> int:
    """How long after its mark the later snapshot was taken, by one machine's clock; 0 if that does no harm.

    Counters that were read while the service was idle are not late: `counted` has the calls between them.
    """
    if trial.counted is not None:
        return 0
    marks = trial.result["marks"]
    begun, ended = marks["started_monotonic_ns"], marks["ended_monotonic_ns"]
    late_ns: int = max(trial.before.monotonic_ns - begun, trial.after.monotonic_ns - ended)
    return late_ns if late_ns > trial.result["got"]["duration_s"] * 1e9 * LATE_SHARE else 0
