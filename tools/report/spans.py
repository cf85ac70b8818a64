"""Reads spans of chosen traces from OTLP JSON lines. Must not know what a span stands for.

The encoding is opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hexadecimal, 64-bit
integers are strings, enums are numbers.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENT = 3
"""SpanKind of a span that waits for another process to answer."""


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """One operation of one process."""

    span_id: str
    parent_id: str
    """Empty for a root."""
    name: str
    kind: int
    process: str
    """The resource's service.name."""
    start_ns: int
    """Nanoseconds since the epoch, by the clock of the span's own host."""
    end_ns: int
    attributes: Mapping[str, str]

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


def read_spans(folder: Path, trace_ids: Collection[str]) -> tuple[dict[str, list[StoredSpan]], list[str]]:
    """Trace id -> its spans from every `traces/*.jsonl`, and one line for each file with unreadable lines.

    The last line of an interrupted run may be half a line: only that line is lost.
    """
    spans: defaultdict[str, list[StoredSpan]] = defaultdict(list)
    problems = []
    for path in sorted((folder / "traces").glob("*.jsonl")):
        unreadable = 0
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    for trace_id, span in spans_of(json.loads(line), trace_ids):
                        spans[trace_id].append(span)
                except (ValueError, KeyError, TypeError, AttributeError):
                    unreadable += 1
        if unreadable:
            problems.append(f"traces/{path.name}: {unreadable} lines are not OTLP JSON.")
    return dict(spans), problems


def spans_of(request: Mapping[str, Any], trace_ids: Collection[str] | None = None) -> list[tuple[str, StoredSpan]]:
    """The spans of those traces, each with its trace id; None: of all.

    Raises KeyError, ValueError, TypeError or AttributeError if it is no OTLP JSON.
    """
    found = []
    for group in request["resourceSpans"]:
        process = _attributes(group["resource"]).get("service.name", "unknown")
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                trace_id = span["traceId"].lower()
                # A run has some 100,000 spans, and its report shows 100 of them.
                if trace_ids is not None and trace_id not in trace_ids:
                    continue
                read = StoredSpan(
                    span_id=span["spanId"],
                    parent_id=span.get("parentSpanId", ""),
                    name=span["name"],
                    kind=int(span.get("kind", 0)),
                    process=process,
                    start_ns=int(span["startTimeUnixNano"]),
                    end_ns=int(span["endTimeUnixNano"]),
                    attributes=_attributes(span),
                )
                found.append((trace_id, read))
    return found


def _attributes(owner: Mapping[str, Any]) -> dict[str, str]:
    """Each value as text, whatever its type."""
    return {item["key"]: str(next(iter(item["value"].values()), "")) for item in owner.get("attributes", [])}
