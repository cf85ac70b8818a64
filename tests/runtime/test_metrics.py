"""Metrics of a real service, as Prometheus and a collector get them: they agree with its counters and its traces."""

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sweetspot.v1 import workload_pb2

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import Service
from services.runtime.workers import pool_threads
from services.telemetry import TraceContext, prometheus
from services.telemetry.otlp_metrics import OtlpMetrics
from services.wire.memory import REPORT_BYTES
from tests.serving import Serving, serving
from tests.wire_client import WireClient

SLEEP = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=60_000_000))])
LARGE_BYTES = 1_000_000
LARGE_SLEEP = workload_pb2.RunRequest(payload=bytes(LARGE_BYTES), steps=SLEEP.steps)
CALLS = 5


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_METRICS_EXPORTER"):
        monkeypatch.delenv(variable, raising=False)


def scrape(service: Serving) -> dict[str, Metric]:
    request = urllib.request.Request(
        f"http://{service.metrics}/metrics", headers={"Accept": "application/openmetrics-text"}
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        return {family.name: family for family in text_string_to_metric_families(reply.read().decode())}


def value(family: Metric) -> float:
    (sample,) = family.samples
    return float(sample.value)


def run(channel: grpc.Channel, request: workload_pb2.RunRequest, **more: Any) -> Any:
    method = channel.unary_unary(
        "/sweetspot.v1.Workload/Run", request_serializer=workload_pb2.RunRequest.SerializeToString
    )
    return method.future(request, timeout=30, **more)


def by_status(found: dict[str, Metric]) -> dict[tuple[str, str, str], float]:
    """How many calls have ended, by method, status and type of error."""
    family = found.get("rpc_server_call_duration_seconds")
    return {
        (
            sample.labels["rpc_method"].removeprefix("sweetspot.v1.Workload/"),
            sample.labels["rpc_response_status_code"],
            sample.labels.get("error_type", ""),
        ): sample.value
        for sample in (family.samples if family else ())
        if sample.name.endswith("_count")
    }


def ended(service: Serving, calls: int) -> dict[str, Metric]:
    """The metrics once so many calls are in them: a call is counted after it was answered."""
    until = time.monotonic() + 10
    while True:
        found = scrape(service)
        count = sum(by_status(found).values())
        if count >= calls:
            return found
        assert time.monotonic() < until, f"{count} of {calls} calls were counted"


@pytest.mark.parametrize(
    ("start", "has_loop", "own_wire"),
    [
        ("thread_pool", False, True),
        ("reactor", True, True),
        ("reactor --loops 2", True, True),
        ("coroutines --processes 2", True, True),
        ("coroutines --loop uvloop", False, True),
        ("process_pool", False, True),
        ("grpcio_asyncio", True, False),
    ],
)
def test_what_is_scraped_agrees_with_the_services_own_counters(start: str, has_loop: bool, own_wire: bool) -> None:
    model, *options = start.split()
    # A worker that sleeps does not see that its caller has left, so a drain would wait for it.
    started = serving(model, *options, "--metrics-port=0", "--drain-timeout-s=0")
    with started as service, grpc.insecure_channel(service.address) as channel:
        done = [run(channel, workload_pb2.RunRequest()) for _ in range(CALLS)]
        for call in done:
            call.result()
        ended(service, CALLS)
        waiting = run(channel, LARGE_SLEEP)
        snapshot = service.wait_until(
            # A loop notes an iteration at its end, a moment after it has answered.
            lambda reply: (
                reply.calls_in_flight == 1
                and reply.HasField("loop_lag_max_ns") == has_loop
                and (reply.held_bytes >= LARGE_BYTES - REPORT_BYTES) == own_wire
            ),
            "the call never arrived, or what the loop has noted",
        )
        found = scrape(service)
        assert value(found["sweetspot_calls_in_flight"]) == snapshot.calls_in_flight == 1
        assert value(found["sweetspot_connections"]) == snapshot.connections
        assert ("sweetspot_memory_held_bytes" in found) == snapshot.HasField("held_bytes") == own_wire
        if own_wire:
            assert value(found["sweetspot_memory_held_bytes"]) == snapshot.held_bytes
            assert value(found["sweetspot_memory_budget_bytes"]) == snapshot.memory_budget_bytes > snapshot.held_bytes
        assert ("sweetspot_queue_depth" in found) == snapshot.HasField("queue_depth")
        assert ("sweetspot_loop_lag_seconds" in found) == has_loop
        assert found["target"].samples[0].labels["sweetspot_model"] == model
        waiting.cancel()


@pytest.mark.parametrize("model", ["thread_pool", "reactor", "seda", "grpcio_threads"])
def test_calls_are_counted_by_method_and_status(model: str) -> None:
    fetch = workload_pb2.RunRequest(steps=[workload_pb2.Step(call=workload_pb2.Call())])
    no_kind = workload_pb2.RunRequest(steps=[workload_pb2.Step()])
    with serving(model, "--metrics-port=0") as service, WireClient(service.address) as client:
        for method, request, times in (
            ("Run", b"", 2),
            ("Run", no_kind.SerializeToString(), 1),
            ("Run", fetch.SerializeToString(), 1),  # there is no backend
            ("RunStream", b"", 3),
            ("RunStream", b"not a plan", 1),
        ):
            for _ in range(times):
                client.call(f"/sweetspot.v1.Workload/{method}", request)
        client.call("/sweetspot.v1.Workload/Unknown", b"")
        assert by_status(ended(service, 8)) == {
            ("Run", "OK", ""): 2,
            ("Run", "INVALID_ARGUMENT", ""): 1,
            ("Run", "FAILED_PRECONDITION", ""): 1,
            ("RunStream", "OK", ""): 3,
            ("RunStream", "INTERNAL", "INTERNAL"): 1,
        }


def test_an_exemplar_leads_to_the_trace_of_its_call(tmp_path: Path) -> None:
    file, parent = tmp_path / "spans.jsonl", TraceContext.root()
    with (
        serving("thread_pool", "--metrics-port=0", f"--trace-file={file}") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        run(channel, workload_pb2.RunRequest(), metadata=(("traceparent", parent.traceparent),)).result()
        run(channel, workload_pb2.RunRequest()).result()
        samples = ended(service, 2)["rpc_server_call_duration_seconds"].samples
        (exemplar,) = [sample.exemplar for sample in samples if sample.exemplar]
        assert service.stop() == 0
    spans = [
        span
        for line in file.read_text().splitlines()
        for group in json.loads(line)["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]
    (server,) = [span for span in spans if span["spanId"] == exemplar.labels["span_id"]]
    assert server["traceId"] == exemplar.labels["trace_id"] == f"{parent.trace_id:032x}"
    duration_s = (int(server["endTimeUnixNano"]) - int(server["startTimeUnixNano"])) / 1e9
    assert 0 < exemplar.value <= duration_s


def test_calls_that_find_no_room_are_counted() -> None:
    with (
        serving("thread_pool", "--metrics-port=0", "--threads-per-cpu=1", "--queue-bound=1") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        assert value(scrape(service)["sweetspot_refusals"]) == 0
        threads = pool_threads(Config(of_model={"threads_per_cpu": 1}))
        calls = []
        for running in range(1, threads + 1):
            calls.append(run(channel, SLEEP))
            service.wait_until(lambda now, n=running: (now.calls_in_flight, now.queue_depth) == (n, 0), "it waits")  # type: ignore[misc]
        calls.append(run(channel, SLEEP))
        service.wait_until(lambda now: now.queue_depth == 1, "it does not wait")
        assert [run(channel, SLEEP).code() for _ in range(2)] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
        assert value(scrape(service)["sweetspot_refusals"]) == 2
        for call in calls:
            call.cancel()


class Collector(ThreadingHTTPServer):
    """Takes metrics by OTLP/HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[ExportMetricsServiceRequest] = []


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/metrics":
            self.server.requests.append(ExportMetricsServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


def test_a_collector_gets_everything_once_more_when_the_service_ends(collector: Collector) -> None:
    with serving("reactor") as service, grpc.insecure_channel(service.address) as channel:
        for _ in range(CALLS):
            run(channel, workload_pb2.RunRequest()).result()
        assert service.stop() == 0
    (group,) = collector.requests[-1].resource_metrics
    assert {"service.name": "reactor", "sweetspot.model": "reactor"}.items() <= {
        attribute.key: attribute.value.string_value for attribute in group.resource.attributes
    }.items()
    metrics = {metric.name: metric for metric in group.scope_metrics[0].metrics}
    (durations,) = metrics["rpc.server.call.duration"].histogram.data_points
    assert (durations.count, sum(durations.bucket_counts)) == (CALLS, CALLS)
    assert {attribute.key: attribute.value.string_value for attribute in durations.attributes} == {
        "rpc.system.name": "grpc",
        "rpc.method": "sweetspot.v1.Workload/Run",
        "rpc.response.status_code": "OK",
    }
    assert metrics["rpc.server.call.duration"].unit == "s"
    assert metrics["sweetspot.refusals"].sum.is_monotonic
    assert metrics["sweetspot.loop.lag"].histogram.data_points[0].count > 0


def test_a_collector_that_never_answers_does_not_hold_the_exit_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as deaf:  # it listens, and no thread serves it
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{deaf.server_port}")
        exporter = OtlpMetrics({"service.name": "it"}, lambda: [])
        exporter.close(0.05)
        assert exporter._thread.is_alive()


@pytest.mark.parametrize(("port", "counts"), [(None, False), (0, True)])
def test_nothing_is_counted_that_nobody_is_told(port: int | None, counts: bool) -> None:
    service = Service("reactor", Config(metrics_port=port), drain=Drain())
    assert (service.durations.histogram is not None) is counts
    assert (service.loop_lag.lags is not None) is counts


def test_a_metrics_port_in_use_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        serving("reactor", "--metrics-port=0") as service,
        pytest.raises(AssertionError),
        serving("reactor", f"--metrics-port={service.metrics.rpartition(':')[2]}"),
    ):
        pytest.fail("served")
    told = capfd.readouterr().err
    assert told.startswith("reactor: Address already in use")
    assert told.count("\n") == 1


def test_a_scraper_that_is_silent_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prometheus._Silent, "timeout", 0.05)
    listener = socket.create_server(("127.0.0.1", 0))
    prometheus.serve(listener, {}, lambda: ())
    with socket.create_connection(listener.getsockname(), 10) as peer:
        peer.sendall(b"GET ")
        assert peer.recv(1) == b""
    assert capfd.readouterr().err == ""
