"""Reads traces back from the release's Jaeger, by way of the API server. Must not know what is sought in them.

Source: github.com/jaegertracing/jaeger-idl, proto/api_v3/query_service.proto; the answer is OTLP JSON.
"""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from tools.cluster.api import ClusterError
from tools.cluster.release import Release

# Wall clocks of nodes and of whoever dated the trial differ, and a load takes its time to begin.
_MARGIN = timedelta(minutes=3)


def service(release: Release) -> str:
    """The name of its Service. Raises ClusterError where there is none."""
    found = release.jaeger()
    if found is None:
        raise ClusterError(
            f"release {release.name} has no Jaeger of its own; try: helm upgrade {release.name} helm/sweetspot "
            f"-n {release.api.namespace} --reuse-values --set jaeger.enabled=true"
        )
    return found


def count_spans(
    release: Release, began: str, duration_s: float, trace_ids: Collection[str]
) -> tuple[Counter[str], set[str]]:
    """Spans of these traces by the name of the process that made them, and which of the traces there are.

    `began` is RFC 3339. Raises ClusterError where there is no Jaeger, or it does not answer.
    """
    name = service(release)
    start = datetime.fromisoformat(began).astimezone(UTC)
    query = [
        ("query.service_name", "driver"),
        ("query.start_time_min", _rfc3339(start - _MARGIN)),
        ("query.start_time_max", _rfc3339(start + timedelta(seconds=duration_s) + _MARGIN)),
        # Other trials fall into these minutes too.
        ("query.num_traces", str(2 * len(trace_ids) + 1000)),
    ]
    try:
        answer = release.api.from_service(name, "16686", "/api/v3/traces", query)
    except ClusterError as error:
        look = f"kubectl get pods -n {release.api.namespace} -l app.kubernetes.io/component=jaeger"
        raise ClusterError(f"Jaeger ({name}) does not answer: {error}; try: {look}") from None
    spans: Counter[str] = Counter()
    found: set[str] = set()
    for group in answer.get("result", {}).get("resourceSpans", []):
        process = _attribute(group["resource"], "service.name")
        for scope in group["scopeSpans"]:
            ids = [span["traceId"] for span in scope["spans"] if span["traceId"] in trace_ids]
            spans[process] += len(ids)
            found.update(ids)
    return spans, found


def _attribute(resource: Any, name: str) -> str:
    return next((str(each["value"]["stringValue"]) for each in resource["attributes"] if each["key"] == name), "")


def _rfc3339(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
