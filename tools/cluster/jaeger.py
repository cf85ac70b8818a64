"""Reads traces back from the release's Jaeger, by way of the API server. Must not know what is sought in them.

Source: github.com/jaegertracing/jaeger-idl, proto/api_v3/query_service.proto; the answer is OTLP JSON.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tools.cluster.api import ClusterError, NotThereError
from tools.cluster.release import Release
from tools.results import Trial
from tools.traces import period

_PORT = "16686"

Spans = Mapping[str, Any]
"""An OTLP ExportTraceServiceRequest as JSON."""


def service(release: Release) -> str:
    """The name of its Service. Raises ClusterError where there is none."""
    found = release.jaeger()
    if found is None:
        raise ClusterError(
            f"release {release.name} has no Jaeger of its own; try: {release.upgrade('jaeger.enabled=true')}"
        )
    return found


def spans_of(release: Release, name: str, trace_id: str) -> Spans | None:
    """The spans of one trace; None where Jaeger has none. `name` is its Service. Raises ClusterError."""
    try:
        answer = release.api.from_service(name, _PORT, f"/api/v3/traces/{trace_id}", [])
    except NotThereError:
        return None
    except ClusterError as error:
        raise _silent(release, name, error) from None
    found: Spans = answer.get("result", {})
    return found if found.get("resourceSpans") else None


def count_spans(release: Release, trial: Trial, run: str) -> tuple[Counter[str], set[str]]:
    """Spans of the trial's traces by the name of the process that made them, and which traces there are.

    Raises ClusterError where there is no Jaeger, or it does not answer.
    """
    name, made = service(release), trial.result["spans"]
    start, end = period(trial)
    query = [
        ("query.service_name", "driver"),
        ("query.start_time_min", _rfc3339(start)),
        ("query.start_time_max", _rfc3339(end)),
        # Other trials fall into these minutes too. Each span of the driver is a trace.
        ("query.num_traces", str(2 * (made["made"] if made else 0) + 1000)),
    ]
    try:
        answer = release.api.from_service(name, _PORT, "/api/v3/traces", query)
    except ClusterError as error:
        raise _silent(release, name, error) from None
    groups = answer.get("result", {}).get("resourceSpans", [])
    ours = {"sweetspot.run": run, "sweetspot.trial": str(trial.id)}
    of_process = [
        (_attributes(group["resource"]).get("service.name", ""), span)
        for group in groups
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]
    traces = {
        span["traceId"]
        for process, span in of_process
        if process == "driver" and ours.items() <= _attributes(span).items()
    }
    return Counter(process for process, span in of_process if span["traceId"] in traces), traces


def _silent(release: Release, name: str, error: ClusterError) -> ClusterError:
    look = f"kubectl get pods -n {release.api.namespace} -l app.kubernetes.io/component=jaeger"
    return ClusterError(f"Jaeger ({name}) does not answer: {error}; try: {look}")


def _attributes(owner: Any) -> dict[str, str]:
    """Those that are texts."""
    return {each["key"]: each["value"].get("stringValue", "") for each in owner.get("attributes", ())}


def _rfc3339(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
