"""Several rounds of one arm at one point, as one trial: what is counted is added up, what is a level is averaged.

Histograms are added bucket by bucket, so that a percentile is one of all calls. Differences between rounds are what
intervals are made of (tools/standings.py), and are lost here. Must not know what is shown.
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from hdrh.histogram import HdrHistogram
from sweetspot.v1.control_pb2 import SnapshotReply

from tools.results import Trial
from tools.snapshots import together

_LEVELS = (
    "processes",
    "threads",
    "rss_bytes",
    "pss_bytes",
    "rss_peak_bytes",
    "vsz_bytes",
    "connections",
    "calls_in_flight",
)
"""Of a snapshot: what does not count up."""
_MOST = ("start_spread_ns", "in_flight_start", "in_flight")
"""Of what the driver got: the most of any round."""
_TIMES = ("latency_ns", "service_time_ns", "lateness_ns")
_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


def by_arm_and_point(trials: Sequence[Trial]) -> list[Trial]:
    """One trial for each arm and point, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.arm, trial.id.point), []).append(trial)
    return [pooled(group) for group in groups.values()]


def pooled(rounds: Sequence[Trial]) -> Trial:
    """The rounds as one trial, which has the id of the first. Raises ValueError without one."""
    first, *others = rounds
    if not others:
        return first
    known = [trial.others_share for trial in rounds if trial.others_share is not None]
    before, after = (_levelled([getattr(trial, edge) for trial in rounds]) for edge in ("before", "after"))
    return replace(
        first,
        result=added_results([trial.result for trial in rounds]) | {"marks": _marks(rounds, before, after)},
        before=before,
        after=after,
        waived="; ".join(dict.fromkeys(trial.waived for trial in rounds if trial.waived)),
        pods=tuple({pod["name"]: pod for trial in rounds for pod in trial.pods}.values()),
        spans=_spans(rounds),
        others_share=statistics.fmean(known) if known else None,
        counted=None if first.counted is None else sum(trial.counted or 0 for trial in rounds),
        slices_cpu_ns=tuple(chain.from_iterable(trial.slices_cpu_ns for trial in rounds)),
    )


def _levelled(replies: Sequence[SnapshotReply]) -> SnapshotReply:
    whole = together(replies)
    for level in _LEVELS:
        setattr(whole, level, getattr(whole, level) // len(replies))
    if whole.HasField("throttling"):
        whole.throttling.quota_cpus /= len(replies)
    return whole


def _marks(rounds: Sequence[Trial], before: SnapshotReply, after: SnapshotReply) -> dict[str, int]:
    """Such that the counters of the whole were read as late as those of the worst round."""
    late = [
        (
            trial.before.monotonic_ns - marks["started_monotonic_ns"],
            trial.after.monotonic_ns - marks["ended_monotonic_ns"],
        )
        for trial in rounds
        if (marks := trial.result.get("marks"))
    ]
    begun, ended = (max(each) for each in zip(*late, strict=True)) if late else (0, 0)
    return {
        "started_monotonic_ns": before.monotonic_ns - begun,
        "ended_monotonic_ns": after.monotonic_ns - ended,
    }


def added_results(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The driver's results as one, whose `asked` is that of the first."""
    first = results[0]
    return {
        **first,
        "interrupted": any(result.get("interrupted") for result in results),
        "got": _got([result["got"] for result in results]),
        **_calls(results),
        **_clients([result["clients"] for result in results if result.get("clients")], len(results)),
        "kinds": {name: _calls([result["kinds"][name] for result in results]) for name in first.get("kinds", ())},
        "first_answer_ns": _distribution([result["first_answer_ns"] for result in results])
        if first.get("first_answer_ns")
        else None,
        "stream": _streams([result["stream"] for result in results if result.get("stream")]),
        "driver": {**first["driver"], **_added([result["driver"] for result in results])},
        "traces": [call for result in results for call in result["traces"]],
        "served_by": _added([result.get("served_by", {}) for result in results]),
        "pods": list(_pods(results).values()),
        "spans": None if first["spans"] is None else _added([result["spans"] or {} for result in results]),
        "shards": [
            {**shard, "cpu_ns": sum(result["shards"][index]["cpu_ns"] for result in results)}
            for index, shard in enumerate(first["shards"])
        ],
        **({"slices": [one for result in results for one in result["slices"]]} if "slices" in first else {}),
    }


def _got(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    whole = _added(parts)
    return {
        **whole,
        "rate_rps": whole["answered"] / whole["duration_s"] if whole["duration_s"] else 0.0,
        "connections": round(whole["connections"] / len(parts)),
        **{level: max(part[level] for part in parts) for level in _MOST if level in whole},
    }


def _calls(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of results, or of one kind of call."""
    return {
        "calls": _added([part["calls"] for part in parts]),
        **{name: _distribution([part[name] for part in parts]) for name in _TIMES},
        "checksums": _added([part["checksums"] for part in parts]),
    }


def _streams(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not parts:
        return None
    return {
        "messages": sum(part["messages"] for part in parts),
        **{name: _distribution([part[name] for part in parts]) for name in ("first_message_ns", "gap_ns")},
    }


def _added(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Numbers added up, key by key, in mappings within them too; what is no number is the last one's."""
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, Mapping):
                whole[key] = _added([whole.get(key, {}), value])
            elif isinstance(value, int | float) and not isinstance(value, bool):
                whole[key] = (whole.get(key) or 0) + value
            elif isinstance(value, list) and key in whole and len(whole[key]) == len(value):
                whole[key] = [one + other for one, other in zip(whole[key], value, strict=True)]
            else:
                whole[key] = value
    return whole


def _distribution(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of all samples together. Percentiles are read from the added histograms; count and extremes are exact."""
    some = [part for part in parts if part["count"] and part["histogram"]]
    if len(some) < 2:
        return dict(some[0] if some else parts[0])
    histogram = HdrHistogram.decode(some[0]["histogram"])
    for part in some[1:]:
        histogram.add(HdrHistogram.decode(part["histogram"]))
    values = histogram.get_percentile_to_value_dict(list(_PERCENTILES.values()))
    number, most = sum(part["count"] for part in some), max(part["max"] for part in some)
    return {
        **some[0],
        "count": number,
        "clamped": sum(part.get("clamped", 0) for part in some),
        "min": min(part["min"] for part in some if "min" in part),
        "mean": sum(part["mean"] * part["count"] for part in some if "mean" in part) / number,
        "max": most,
        **{name: min(values[percentile], most) for name, percentile in _PERCENTILES.items()},
        "histogram": histogram.encode().decode("ascii"),
    }


def _clients(parts: Sequence[Mapping[str, Any]], rounds: int) -> dict[str, Any]:
    """Each round has its own clients: how many there are, are served or are idle, is a mean of the rounds. Nothing
    where a round does not count them."""
    if len(parts) < rounds:
        return {"clients": None}
    whole = _added(parts)
    squares = whole["asked"] * whole["answered_squared"]
    some = [part for part in parts if part["asked"]]
    return {
        "clients": {
            **whole,
            **_means({key: whole[key] for key in ("asked", "served", "unserved_at_start")}, rounds),
            **({"idle": _means(whole["idle"], rounds)} if "idle" in whole else {}),
            "answered_least": min((part["answered_least"] for part in some), default=None),
            "answered_most": max((part["answered_most"] for part in some), default=None),
            "longest_wait_ns": max(part["longest_wait_ns"] for part in parts),
            "jain": whole["answered"] ** 2 / squares if squares else None,
        }
    }


def _means(sums: Mapping[str, int], rounds: int) -> dict[str, int]:
    return {key: round(number / rounds) for key, number in sums.items()}


def _pods(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    pods: dict[str, dict[str, Any]] = {}
    for pod in (pod for result in results for pod in result["pods"]):
        known = pods.setdefault(pod["host"], {**pod, "answered": 0})
        known["answered"] += pod["answered"]
    return pods


def _spans(rounds: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    whole: dict[str, dict[str, Any]] = {}
    for trial in rounds:
        for process, counts in trial.spans.items():
            whole[process] = _added([whole.get(process, {}), counts])
    return {process: {**counts, "lost": dict(Counter(counts.get("lost", {})))} for process, counts in whole.items()}
