"""CSV (RFC 4180): a row for each trial, and a row for each slice. Units are in the names of the columns."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools import checks, measures
from tools.results import StoredTrials, Trial, TrialId, write_whole

CALLS = ("planned", "ok", "timed_out", "not_sent", "unfinished")
OF_SLICE = (
    *(
        "begin_monotonic_ns",
        "started_monotonic_ns",
        "ended_monotonic_ns",
        "drained_monotonic_ns",
        "answered",
        "counted",
    ),
    *(*CALLS, "failed", "in_flight_start", "in_flight_end", "cpu_ns", "clients_served"),
)
TIMES = ("min", "mean", "p50", "p90", "p99", "p999", "max")


def write(folder: Path, found: StoredTrials) -> None:
    """Writes `trials.csv` and `slices.csv`. Raises BadResultsError."""
    rows = {trial.id: _trial(trial) for trial in found.trials}
    rows |= {trial: {**_name(trial), "void": why} for trial, why in found.void}
    rows |= {trial: {**_name(trial), "void": f"failed: {why}"} for trial, why in found.failed}
    of_slices = [row for trial in found.trials for row in _slices(trial)]
    write_whole(folder / "trials.csv", _text([rows[trial] for trial in sorted(rows)]))
    write_whole(folder / "slices.csv", _text(of_slices))


def _trial(trial: Trial) -> dict[str, Any]:
    asked, got, calls = trial.result["asked"], trial.result["got"], trial.result["calls"]
    served, clients = measures.clients_served(trial) or (None, None)
    return {
        **_name(trial.id),
        "void": "",
        "warning": checks.void(trial),
        "model": trial.model,
        "asked_connections": asked["connections"],
        "asked_streams": asked["streams"],
        "asked_rate_rps": asked["rate_rps"],
        "duration_s": got["duration_s"],
        "answered": got["answered"],
        "rate_rps": measures.rate_rps(trial),
        **{name: calls[name] for name in CALLS},
        "failed": sum(calls["by_status"].values()),
        "failed_share": measures.failed_share(trial),
        **_percentiles(trial),
        **{f"answered_latency_{name}_ns": trial.result["latency_ns"].get(name) for name in TIMES},
        "lateness_p99_ns": trial.result["lateness_ns"]["p99"],
        "clients_asked": clients,
        "clients_served": served,
        "jain_index": measures.jain(trial),
        "longest_wait_ns": measures.longest_wait_ns(trial),
        "cpu_per_call_ns": measures.per_call(trial, "cpu_user_ns", "cpu_system_ns"),
        "cpu_user_per_call_ns": measures.per_call(trial, "cpu_user_ns"),
        "cpu_system_per_call_ns": measures.per_call(trial, "cpu_system_ns"),
        "voluntary_switches_per_call": measures.per_call(trial, "voluntary_switches"),
        "involuntary_switches_per_call": measures.per_call(trial, "involuntary_switches"),
        "pss_bytes": measures.pss_bytes(trial),
        "loop_lag_max_ns": measures.loop_lag_max_ns(trial),
        "driver_cpus": measures.driver_cpus(trial),
        "others_share": trial.others_share,
    }


def _percentiles(trial: Trial) -> dict[str, Any]:
    """Of all calls, as in the report. A percentile that is a bound is more than its value."""
    row: dict[str, Any] = {}
    for name in measures.PERCENTILES:
        found = measures.latency(trial, name)
        row[f"latency_{name}_ns"] = None if found is None else found.ns
        row[f"latency_{name}_is_bound"] = None if found is None else str(found.is_bound).lower()
    return row


def _slices(trial: Trial) -> Iterable[dict[str, Any]]:
    for index, one in enumerate(trial.result.get("slices", ())):
        window_s = (one["ended_monotonic_ns"] - one["started_monotonic_ns"]) / 1e9
        yield {
            **_name(trial.id),
            "slice": index,
            "rate_rps": one["answered"] / window_s if window_s else None,
            **{name: one.get(name) for name in OF_SLICE},
            **{f"answered_latency_{name}_ns": one["latency_ns"][name] for name in TIMES},
            "lateness_p99_ns": one["lateness_ns"]["p99"],
        }


def _name(trial: TrialId) -> dict[str, Any]:
    return {"arm": trial.arm, "point": trial.point, "round": trial.round}


def _text(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = dict.fromkeys(column for row in rows for column in row)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(columns))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
