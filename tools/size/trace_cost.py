"""The cost of a call from spans of a user's own service: OTLP JSON or Jaeger's JSON, from a file or an address.

A call is a span of kind SERVER. It waits while a span of kind CLIENT below it, in the same service, is open; calls to
other services that overlap count once. The rest is its own time: CPU time, and waiting for a thread or a processor. So
its own time is an upper bound of its CPU time.

Sources: opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding; jaegertracing.io/docs, "HTTP JSON" of the query API.
"""

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from tools.report.spans import CLIENT, StoredSpan, spans_of
from tools.size.cost import Cost, Part
from tools.status import PlainError
from tools.units import count, duration

SERVER = 2
"""SpanKind of a span that answers a call."""
KINDS = {"server": SERVER, "client": CLIENT}
TIMEOUT_S = 30.0
LEAST_CALLS = 30
"""With fewer, a mean states little."""
SLOW_SHARE = 0.05
"""Of the calls; they decide a p99."""
DIFFERS = 1.5
"""The slowest calls are asked for separately if they take so many times as long as the others."""


@dataclass(frozen=True, slots=True)
class CallTimes:
    """One call of the user's service. Nanoseconds."""

    own_ns: int
    wait_ns: int
    calls: int
    """To other services."""

    @property
    def total_ns(self) -> int:
        """How long it took."""
        return self.own_ns + self.wait_ns


@dataclass(frozen=True, slots=True)
class TracedService:
    """All calls of one service in those spans."""

    service: str
    calls: Sequence[CallTimes]

    @property
    def cost(self) -> Cost:
        """Means, because CPUs have to serve every call. The slowest calls are a part of their own if they differ."""
        calls = sorted(self.calls, key=lambda each: each.total_ns)
        slowest = max(1, round(len(calls) * SLOW_SHARE))
        usual, slow = _part("usual", calls[:-slowest], len(calls)), _part("slow", calls[-slowest:], len(calls))
        parts = (usual, slow) if slow.total_ms > DIFFERS * usual.total_ms else ()
        whole = _part("", calls, len(calls))
        return Cost(whole.cpu_ms, whole.wait_ms, whole.calls, parts=parts)

    def __str__(self) -> str:
        """As `1,234 calls of shop: own time 310 µs (p50 290, p99 1.2 ms), ...`."""
        own, wait = [each.own_ns for each in self.calls], [each.wait_ns for each in self.calls]
        calls = [each.calls for each in self.calls]
        return (
            f"{count(len(self.calls))} calls of {self.service}: own time {_spread(own)}, wait {_spread(wait)}, "
            f"{mean(calls):.3g} calls to other services (at most {max(calls)})"
        )


def _part(name: str, calls: Sequence[CallTimes], of_calls: int) -> Part:
    wait_ms = mean(each.wait_ns for each in calls) / 1e6
    to_others = round(mean(each.calls for each in calls))
    return Part(
        name,
        len(calls) / of_calls,
        mean(each.own_ns for each in calls) / 1e6,
        wait_ms,
        max(1, to_others) if wait_ms else 0,
    )


def read(source: str, service: str | None) -> TracedService:
    """`source` is a file or a URL. Raises PlainError, which names the source."""
    found = _calls(_spans(source), source)
    if not found:
        raise PlainError(f"{source}: no span of kind SERVER: a call of your service has one")
    if service is None and len(found) > 1:
        raise PlainError(f"{source}: has calls of {', '.join(sorted(found))}: choose one with --service")
    name = service or next(iter(found))
    if name not in found:
        raise PlainError(f"{source}: no calls of {name}; there are calls of {', '.join(sorted(found))}")
    if len(found[name]) < LEAST_CALLS:
        raise PlainError(f"{source}: {len(found[name])} calls of {name}: at least {LEAST_CALLS} are needed")
    return TracedService(name, found[name])


def _text(source: str) -> str:
    try:
        if source.startswith(("http://", "https://")):
            with urllib.request.urlopen(source, timeout=TIMEOUT_S) as answer:
                return str(answer.read().decode())
        return Path(source).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PlainError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _spans(source: str) -> list[tuple[str, StoredSpan]]:
    """Trace id and span. A file has one JSON document, or one in each line."""
    text = _text(source)
    try:
        documents = [json.loads(text)]
    except ValueError:
        try:
            documents = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise PlainError(f"{source}: not JSON: {error}") from error
    found: list[tuple[str, StoredSpan]] = []
    for document in documents:
        try:
            content = document.get("result", document)  # Jaeger's API v3 wraps OTLP so
            found += spans_of(content) if "resourceSpans" in content else _of_jaeger(content["data"])
        except KeyError as error:
            raise PlainError(f"{source}: a span has no {error.args[0]}: give OTLP JSON or Jaeger's JSON") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise PlainError(f"{source}: neither OTLP JSON nor Jaeger's JSON: {error}") from error
    return found


def _of_jaeger(traces: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, StoredSpan]]:
    for trace in traces:
        for span in trace["spans"]:
            tags = {each["key"]: str(each["value"]) for each in span.get("tags", ())}
            parents = [each["spanID"] for each in span.get("references", ()) if each["refType"] == "CHILD_OF"]
            start_ns = int(span["startTime"]) * 1000
            yield (
                span["traceID"],
                StoredSpan(
                    span_id=span["spanID"],
                    parent_id=parents[0] if parents else "",
                    name=span["operationName"],
                    kind=KINDS.get(tags.get("span.kind", ""), 0),
                    process=trace["processes"][span["processID"]]["serviceName"],
                    start_ns=start_ns,
                    end_ns=start_ns + int(span["duration"]) * 1000,
                    attributes=tags,
                ),
            )


def _calls(spans: Sequence[tuple[str, StoredSpan]], source: str) -> dict[str, list[CallTimes]]:
    """Service -> its calls."""
    children: dict[tuple[str, str], list[StoredSpan]] = {}
    for trace, span in spans:
        children.setdefault((trace, span.parent_id), []).append(span)
    found: dict[str, list[CallTimes]] = {}
    for trace, span in spans:
        if span.kind != SERVER:
            continue
        if span.duration_ns <= 0:
            raise PlainError(f"{source}: span {span.name!r} of {span.process} has no duration: export spans with times")
        waits = list(_waits(trace, span, children))
        wait_ns = _covered_ns(span, waits)
        found.setdefault(span.process, []).append(CallTimes(span.duration_ns - wait_ns, wait_ns, len(waits)))
    return found


def _waits(
    trace: str, span: StoredSpan, children: Mapping[tuple[str, str], Sequence[StoredSpan]]
) -> Iterator[StoredSpan]:
    """Spans of kind CLIENT below it in the same service."""
    for child in children.get((trace, span.span_id), ()):
        if child.process != span.process:
            continue
        if child.kind == CLIENT:
            yield child
        else:
            yield from _waits(trace, child, children)


def _covered_ns(span: StoredSpan, waits: Sequence[StoredSpan]) -> int:
    """Time of the span in which at least one of the waits is open."""
    covered, until_ns = 0, span.start_ns
    for wait in sorted(waits, key=lambda each: each.start_ns):
        begins_ns, ends_ns = max(wait.start_ns, until_ns), min(wait.end_ns, span.end_ns)
        covered += max(0, ends_ns - begins_ns)
        until_ns = max(until_ns, ends_ns)
    return covered


def _spread(values_ns: Sequence[int]) -> str:
    """As `310 µs (p50 290 µs, p99 1.2 ms)`."""
    ordered = sorted(values_ns)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"{duration(mean(ordered))} (p50 {duration(p50)}, p99 {duration(p99)})"
