"""Copies the spans of the calls that a report shows from the Jaeger of the Helm release, so that it needs no Jaeger.

They are stored in the results folder as OTLP JSON lines, like those of a run on one machine. If there are none, a file
of one line states the reason. Must not know what the report shows of a span.
"""

import json
from pathlib import Path

from tools.cluster import jaeger
from tools.cluster.api import ClusterError
from tools.cluster.release import Release
from tools.results import Trial, write_whole
from tools.traces import CANDIDATES, StoredCall, median_first, traced, without_spans


def save(release: Release, trial: Trial, folder: Path) -> None:
    """Stores the spans of the trial's median and slowest traced call. Raises BadResultsError."""
    calls = traced(trial)
    if not calls:
        return
    why = without_spans(folder, trial)
    try:
        name = jaeger.service(release)
        found = [_first(release, name, order) for order in (median_first(calls), calls[::-1])]
    except ClusterError as error:
        write_whole(why, f"{error}\n")
        return
    lines = [json.dumps(spans) for spans in found if spans]
    if not lines:
        write_whole(
            why, f"Jaeger ({name}) has none of these traces: it drops the oldest (jaeger.maxTraces of the chart)\n"
        )
        return
    write_whole(why.with_suffix(".jsonl"), "".join(f"{line}\n" for line in dict.fromkeys(lines)))
    why.unlink(missing_ok=True)


def _first(release: Release, name: str, calls: list[StoredCall]) -> jaeger.Spans | None:
    """Raises ClusterError."""
    found = (jaeger.spans_of(release, name, call.trace_id) for call in calls[:CANDIDATES])
    return next((spans for spans in found if spans), None)
