"""A service gives the spans of its calls a chance to go out, and waits for no call that still runs."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.runtime import service
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import Service
from services.telemetry import CallTrace, TraceContext

RUN = "/sweetspot.v1.Workload/Run"


@pytest.fixture
def traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    for signal in ("", "TRACES_"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT", raising=False)
    monkeypatch.setattr(service, "RECORD_S", 5.0)
    traced = Service("thread_pool", Config(trace_file=tmp_path / "spans.jsonl"), drain=Drain())
    traced.start_tracing()
    yield traced
    traced.stop_tracing()


def begun(traced: Service) -> CallTrace:
    assert traced.tracing is not None
    trace = traced.tracing.server_call(TraceContext.root().headers, RUN)
    assert trace is not None
    return trace


def test_spans_that_a_thread_records_after_its_reply_go_out_when_the_service_stops(traced: Service) -> None:
    trace = begun(traced)
    threading.Timer(0.05, trace.end, (1, 2, 3, 0, "worker-0")).start()
    traced.stop_tracing()
    counts = traced.spans.read()
    assert counts is not None
    assert (counts.made, counts.exported, counts.dropped) == (3, 3, 0)


@pytest.mark.parametrize("what", ["still runs", "goes on elsewhere", "was refused and is gone"])
def test_a_service_that_stops_waits_for_no_call_that(what: str, traced: Service) -> None:
    trace: CallTrace | None = begun(traced)
    if what == "still runs":
        traced.calls_in_flight.add(1)
    elif what == "goes on elsewhere" and trace is not None:
        trace.carried("worker-0")
    else:
        trace = None
    begun_s = time.monotonic()
    traced.stop_tracing()
    assert time.monotonic() - begun_s < 4
    del trace
