"""Readings as Prometheus scrapes them: OpenMetrics with exemplars if the scraper accepts it, else the older text.

Names become Prometheus' as OpenTelemetry's specification has it (opentelemetry.io/docs/specs/otel/compatibility/
prometheus_and_openmetrics). Must not know what is read, nor when.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import accumulate
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as PrometheusExemplar

from services.telemetry.readings import Distribution, Exemplar, MetricSeries, Reading

NS_PER_S = 1e9
PEER_S = 20
"""For a peer to send the next bytes of its request."""


def serve(listener: socket.socket, resource: Mapping[str, str], read: Callable[[], Iterable[Reading]]) -> None:
    """Answers every scrape on `listener` with what `read` gives then, on threads of its own, until the process ends."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ReadingsCollector(resource, read))
    host, port = listener.getsockname()[:2]
    server = ThreadingWSGIServer((host, port), _Silent, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    # What `server_bind` would do, but for asking the name service who we are, which may take seconds.
    server.server_name, server.server_port = host, port
    server.setup_environ()
    server.set_app(make_wsgi_app(registry))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Silent(WSGIRequestHandler):
    timeout = PEER_S

    def handle(self) -> None:
        with suppress(TimeoutError):  # each connection has a thread, which a silent peer must not hold
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """A scrape is no news."""


class _ReadingsCollector(Collector):
    def __init__(self, resource: Mapping[str, str], read: Callable[[], Iterable[Reading]]) -> None:
        self._resource = {key.replace(".", "_"): value for key, value in resource.items()}
        self._read = read

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("target", "The service that has these metrics", self._resource)
        for reading in self._read():
            yield _family(reading)


def _family(reading: Reading) -> Metric:
    name = reading.name.replace(".", "_")
    if isinstance(reading, Distribution):
        return _histogram(f"{name}_seconds", reading)
    if reading.unit == "By":
        name += "_bytes"
    kind = CounterMetricFamily if reading.is_total else GaugeMetricFamily
    family: Metric = kind(name, reading.description, reading.value)
    return family


def _histogram(name: str, reading: Distribution) -> Metric:
    attributes = list(dict.fromkeys(attribute for series in reading.series for attribute in series.attributes))
    labels = [attribute.replace(".", "_") for attribute in attributes]
    family = HistogramMetricFamily(name, reading.description, labels=labels, unit="seconds")
    ends = [*(str(bound_ns / NS_PER_S) for bound_ns in reading.bounds_ns), "+Inf"]
    for series in reading.series:
        # All samples of a family have the same labels here. An empty one is the same as none (OpenMetrics, Label).
        values = [series.attributes.get(attribute, "") for attribute in attributes]
        family.add_metric(values, _buckets(ends, series), series.sum_ns / NS_PER_S)
    return family


def _buckets(ends: list[str], series: MetricSeries) -> list[Any]:
    counts = accumulate(series.counts)
    return [
        (end, count) if exemplar is None else (end, count, _exemplar(exemplar))
        for end, count, exemplar in zip(ends, counts, series.exemplars, strict=True)
    ]


def _exemplar(exemplar: Exemplar) -> PrometheusExemplar:
    ids = {"trace_id": f"{exemplar.trace_id:032x}", "span_id": f"{exemplar.span_id:016x}"}
    return PrometheusExemplar(ids, exemplar.value_ns / NS_PER_S, exemplar.epoch_ns / NS_PER_S)
