"""A snapshot has what the kernel and the model count, and nothing that is not there."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from services.runtime.config import Config
from services.runtime.control.snapshot import snapshot
from services.runtime.drain import Drain
from services.runtime.service import RUN_PATH, Service
from services.wire import Code, RpcError, ServerCall, Shape
from services.wire.request import RequestHead
from tests.runtime.ends import Ends


@pytest.fixture
def service() -> Service:
    return Service("thread_pool", Config(), drain=Drain())


def test_it_counts_connections_and_calls(service: Service) -> None:
    busy, _idle = Ends(service.open_session(), service), service.open_session()
    busy.client.start(RUN_PATH.decode(), b"")
    busy.client.start(RUN_PATH.decode(), b"")
    busy.talk()
    reply = snapshot(service)
    assert (reply.model, reply.connections, reply.calls_in_flight) == ("thread_pool", 2, 2)


def test_what_the_machine_runs_beside_the_service_is_counted(service: Service) -> None:
    before = snapshot(service).node
    until_ns = time.process_time_ns() + 30_000_000
    while time.process_time_ns() < until_ns:
        pass
    after = snapshot(service).node
    assert after.cpus == os.cpu_count()
    assert after.busy_ns - before.busy_ns >= 20_000_000  # a tick is 10 ms


def test_a_model_without_queue_or_loop_reports_neither(service: Service) -> None:
    reply = snapshot(service)
    assert not reply.HasField("queue_depth")
    assert not reply.HasField("loop_lag_max_ns")


def test_spans_are_counted_to_where_they_went_once_there_are_some(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    service.config = replace(service.config, trace_file=tmp_path / "spans.jsonl")
    service.start_tracing()
    assert not snapshot(service).HasField("spans")
    assert service.tracing is not None
    call = service.tracing.server_call((("traceparent", f"00-{'1' * 32}-{'2' * 16}-01"),), "a/b")
    assert call is not None
    call.end(received_ns=1, started_ns=None, ended_ns=2, code=Code.OK, worker="w")
    made = snapshot(service).spans
    assert (made.made, made.dropped) == (2, 0)
    service.stop_tracing()
    done = snapshot(service).spans
    assert (done.made, done.exported, done.dropped) == (2, 2, 0)


def test_a_call_that_could_not_begin_has_its_spans(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    service.config = replace(service.config, trace_file=tmp_path / "spans.jsonl")
    service.start_tracing()
    head = RequestHead(RUN_PATH, (), 0, trace_context=(("traceparent", f"00-{'1' * 32}-{'2' * 16}-01"),))
    call = ServerCall(1, head, Shape.UNARY, time.monotonic_ns())
    call.request = b"not a plan"
    with pytest.raises(RpcError):
        service.start(call, b"")
    service.stop_tracing()
    assert snapshot(service).spans.exported == len(("SERVER", "queue"))


def test_spans_that_were_lost_are_counted_by_their_reason(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    service.config = replace(service.config, trace_file=Path("/dev/full"))
    service.start_tracing()
    assert service.tracing is not None
    call = service.tracing.server_call((("traceparent", f"00-{'1' * 32}-{'2' * 16}-01"),), "a/b")
    assert call is not None
    call.end(received_ns=1, started_ns=None, ended_ns=2, code=Code.OK, worker="w")
    service.stop_tracing()
    spans = snapshot(service).spans
    assert (spans.made, spans.dropped, dict(spans.lost)) == (2, 2, {"file not written": 2})


def test_an_empty_queue_is_not_an_absent_one(service: Service) -> None:
    service.queue.set(0)
    reply = snapshot(service)
    assert reply.HasField("queue_depth")
    assert reply.queue_depth == 0


def test_the_lag_is_that_since_the_last_snapshot(service: Service) -> None:
    service.loop_lag.note(7)
    assert [snapshot(service).loop_lag_max_ns for _ in range(2)] == [7, 0]


def test_the_difference_of_two_is_the_use_between_them(service: Service) -> None:
    before = snapshot(service)
    spent_ns = time.process_time_ns()
    while time.process_time_ns() - spent_ns < 50_000_000:
        os.getppid()
    after = snapshot(service)
    used_ns = after.cpu_user_ns + after.cpu_system_ns - before.cpu_user_ns - before.cpu_system_ns
    assert 50_000_000 <= used_ns < 1_000_000_000
    assert after.monotonic_ns > before.monotonic_ns
