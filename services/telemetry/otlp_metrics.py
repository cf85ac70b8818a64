"""Readings out by OTLP/HTTP, every so often and once more at the end.

OpenTelemetry's instruments would have every call record into a histogram of the SDK's.
Here the counts are in shared memory already, of several processes; so the SDK's data points are built directly from
them and handed to its exporter, as its own are. Must not know what is read.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Exemplar as OtlpExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from services.telemetry.environment import number, silence_sdk, timeout_s
from services.telemetry.readings import Distribution, Exemplar, MetricSeries, Reading

NS_PER_S = 1e9

_SCOPE = InstrumentationScope("sweetspot")
_CUMULATIVE = AggregationTemporality.CUMULATIVE


class OtlpMetrics:
    """Exports every OTEL_METRIC_EXPORT_INTERVAL milliseconds (60,000) to what OTEL_EXPORTER_OTLP_* name."""

    def __init__(self, resource: Mapping[str, str], read: Callable[[], Iterable[Reading]]) -> None:
        silence_sdk()
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come first.
        self._resource = Resource.create(dict(resource)).merge(OTELResourceDetector().detect())
        self._read = read
        self._started_ns = time.time_ns()
        self._exporter = OTLPMetricExporter(timeout=timeout_s("METRICS", at_most="OTEL_METRIC_EXPORT_TIMEOUT"))
        self._closing = threading.Event()
        # A daemon, so that an export which hangs cannot hold up the exit.
        self._thread = threading.Thread(target=self._run, name="metrics-export", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Exports once more; returns in time, whatever the collector does."""
        self._closing.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        interval_s = number("OTEL_METRIC_EXPORT_INTERVAL", 60_000) / 1000
        while not self._closing.wait(interval_s):
            self._export()
        self._export()

    def _export(self) -> None:
        now_ns = time.time_ns()
        metrics = [_metric(reading, self._started_ns, now_ns) for reading in self._read()]
        self._exporter.export(MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(_SCOPE, metrics, "")], "")]))


def _metric(reading: Reading, started_ns: int, now_ns: int) -> Metric:
    if isinstance(reading, Distribution):
        points = [_histogram_point(reading, series, started_ns, now_ns) for series in reading.series]
        return Metric(reading.name, reading.description, "s", Histogram(points, _CUMULATIVE))
    point = NumberDataPoint({}, started_ns, now_ns, reading.value)
    data: Any = Sum([point], _CUMULATIVE, is_monotonic=True) if reading.is_total else Gauge([point])
    return Metric(reading.name, reading.description, reading.unit, data)


def _histogram_point(reading: Distribution, series: MetricSeries, started_ns: int, now_ns: int) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=series.attributes,
        start_time_unix_nano=started_ns,
        time_unix_nano=now_ns,
        count=sum(series.counts),
        sum=series.sum_ns / NS_PER_S,
        bucket_counts=series.counts,
        explicit_bounds=[bound_ns / NS_PER_S for bound_ns in reading.bounds_ns],
        min=None,  # type: ignore[arg-type]  # not known, and optional in OTLP
        max=None,  # type: ignore[arg-type]
        exemplars=[_exemplar(exemplar) for exemplar in series.exemplars if exemplar is not None],
    )


def _exemplar(exemplar: Exemplar) -> OtlpExemplar:
    return OtlpExemplar({}, exemplar.value_ns / NS_PER_S, exemplar.epoch_ns, exemplar.span_id, exemplar.trace_id)
