"""What a service measures of itself at one instant, as plain data. Must not load OpenTelemetry, nor know who asks.

Names and units are OpenTelemetry's (opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics, `rpc.server.call.duration`);
those that it has no name for begin with `sweetspot`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One traced call that fell into a bucket."""

    value_ns: int
    trace_id: int
    """128 bits."""
    span_id: int
    """64 bits."""
    epoch_ns: int
    """When it ended."""


@dataclass(frozen=True, slots=True)
class Number:
    """A gauge, or a total that only grows."""

    name: str
    unit: str
    """UCUM, as `{call}`."""
    description: str
    value: int
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """Durations with the same attributes, in buckets. All counts are totals since the service started."""

    attributes: Mapping[str, str]
    counts: tuple[int, ...]
    """One more than bounds; not cumulative."""
    sum_ns: int
    exemplars: tuple[Exemplar | None, ...]
    """The latest of each bucket."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Durations in buckets."""

    name: str
    description: str
    bounds_ns: tuple[int, ...]
    """Upper ends of the buckets, inclusive; one more bucket takes what is above."""
    series: tuple[MetricSeries, ...]
    """Only those that have any duration."""


Reading = Number | Distribution
