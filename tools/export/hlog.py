"""HdrHistogram logs (version 1.2), as HistogramLogProcessor reads them: one for each arm and point.

An interval is a slice, or a trial that has no slices. Its histogram is of the latencies of calls answered OK, in
nanoseconds. The driver notes the wall clock to the second, when it opens connections; from there on intervals follow
its monotonic clock.
"""

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hdrh.log import HistogramLogWriter

from tools.histogram import decode
from tools.results import BadResultsError, Trial, write_whole


def write(folder: Path, trials: Sequence[Trial]) -> None:
    """Writes `ARM-POINT.hlog` files. Raises BadResultsError."""
    groups: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.id):
        groups.setdefault(f"{trial.arm}-{trial.id.point}", []).append(trial)
    texts = {name: _log(rounds) for name, rounds in groups.items()}
    for name, text in texts.items():
        write_whole(folder / f"{name}.hlog", text)


def _log(rounds: Sequence[Trial]) -> str:
    file = io.StringIO()
    log = HistogramLogWriter(file)
    first_s = _started_s(rounds[0])
    log.output_comment("[Latency of calls answered OK, in nanoseconds, logged by sweetspot export]")
    log.output_log_format_version()
    # hdrh 0.10.8 fails in output_start_time: a datetime has no iso_format.
    log.output_comment(f"[StartTime: {first_s:.3f} (seconds since epoch), {rounds[0].result['started_at']}]")
    log.output_legend()
    for trial in rounds:
        try:
            for began_s, ended_s, histogram in _intervals(trial):
                log.output_interval_histogram(decode(histogram), began_s, ended_s)
        except ValueError as error:
            raise BadResultsError(f"trials/{trial.id}.json: latency: {error}") from error
    return file.getvalue()


def _intervals(trial: Trial) -> Iterator[tuple[float, float, str]]:
    result = trial.result
    windows: Sequence[dict[str, Any]] = result.get("slices") or [
        {**result["marks"], "latency_ns": result["latency_ns"]}
    ]
    epoch_s = _started_s(trial) - windows[0]["started_monotonic_ns"] / 1e9
    for one in windows:
        began_s, ended_s = (epoch_s + one[mark] / 1e9 for mark in ("started_monotonic_ns", "ended_monotonic_ns"))
        yield began_s, ended_s, one["latency_ns"]["histogram"]


def _started_s(trial: Trial) -> float:
    """Seconds since the epoch."""
    return datetime.fromisoformat(trial.result["started_at"]).timestamp()
