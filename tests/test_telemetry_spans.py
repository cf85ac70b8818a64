"""What one traced call leaves behind: its spans, read back from OTLP JSON lines."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.telemetry import Headers, TraceContext, Tracing
from services.telemetry.labels import Labels, to_baggage

INTERNAL, SERVER, CLIENT = 1, 2, 3
ERROR = 2
RUN = "/sweetspot.v1.Workload/Run"
CALLER = TraceContext(trace_id=0xABC, span_id=0xDEF)
OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, INTERNAL_ERROR, UNAVAILABLE = 0, 3, 8, 13, 14


class Recorded:
    """Tracing to a file, and what is in that file once it is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        tracing = Tracing.from_environment("thread-pool", model="thread_pool", trace_file=path)
        assert tracing is not None
        self.tracing = tracing

    def resource(self) -> dict[str, Any]:
        (request,) = self._requests()
        return _attributes(request["resourceSpans"][0]["resource"])

    def spans(self) -> dict[str, dict[str, Any]]:
        return {
            span["name"]: span
            for request in self._requests()
            for group in request["resourceSpans"]
            for scope in group["scopeSpans"]
            for span in scope["spans"]
        }

    def span(self, name: str) -> dict[str, Any]:
        return self.spans()[name]

    def _requests(self) -> list[dict[str, Any]]:
        self.tracing.close()
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]


def _attributes(owner: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in owner["attributes"]}


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    recorded = Recorded(tmp_path / "thread-pool.jsonl")
    yield recorded
    recorded.tracing.close()


def serve(recorded: Recorded, *, code: int = OK) -> str:
    """One call with a compute step and a call to the backend; returns the traceparent that the backend got."""
    trace = recorded.tracing.server_call(CALLER.headers, RUN)
    assert trace is not None
    trace.step("compute", 2_000, 3_000, 0)
    fetch = trace.child()
    trace.end_child(fetch, 3_000, 4_000, 1, OK, server=("127.0.0.1", 50051))
    trace.end(1_000, 2_000, 5_000, code, "worker-3")
    return fetch.traceparent


def test_every_span_names_its_parent_in_hexadecimal(recorded: Recorded) -> None:
    sent = serve(recorded)

    spans = recorded.spans()
    server, queue, run = spans[RUN[1:]], spans["queue"], spans["run"]
    compute, fetch = spans["compute"], spans["sweetspot.v1.Backend/Fetch"]
    assert {span["traceId"] for span in spans.values()} == {f"{CALLER.trace_id:032x}"}
    assert len({span["spanId"] for span in spans.values()}) == 5
    assert server["parentSpanId"] == f"{CALLER.span_id:016x}"
    assert queue["parentSpanId"] == run["parentSpanId"] == server["spanId"]
    assert compute["parentSpanId"] == fetch["parentSpanId"] == run["spanId"]
    assert sent == f"00-{fetch['traceId']}-{fetch['spanId']}-01"


def test_kinds_are_numbers_that_tell_calls_from_steps(recorded: Recorded) -> None:
    serve(recorded)

    assert {name: span["kind"] for name, span in recorded.spans().items()} == {
        "sweetspot.v1.Workload/Run": SERVER,
        "queue": INTERNAL,
        "run": INTERNAL,
        "compute": INTERNAL,
        "sweetspot.v1.Backend/Fetch": CLIENT,
    }


def test_only_the_server_spans_parent_is_of_another_process(recorded: Recorded) -> None:
    serve(recorded)

    # trace.proto, SpanFlags: 0x100 means that the parent is known to be remote or not, 0x200 that it is.
    remote = {name for name, span in recorded.spans().items() if span["flags"] & 0x200}
    assert remote == {"sweetspot.v1.Workload/Run"}


def test_a_server_span_says_what_was_called_and_who_ran_it(recorded: Recorded) -> None:
    serve(recorded)

    assert _attributes(recorded.span("sweetspot.v1.Workload/Run")) == {
        "rpc.system.name": "grpc",
        "rpc.method": "sweetspot.v1.Workload/Run",
        "rpc.response.status_code": "OK",
        "sweetspot.model": "thread_pool",
        "sweetspot.worker": "worker-3",
    }


def test_a_step_that_calls_the_backend_says_which_step_and_where(recorded: Recorded) -> None:
    serve(recorded)

    assert _attributes(recorded.span("sweetspot.v1.Backend/Fetch")) == {
        "rpc.system.name": "grpc",
        "rpc.method": "sweetspot.v1.Backend/Fetch",
        "rpc.response.status_code": "OK",
        "server.address": "127.0.0.1",
        "server.port": "50051",
        "sweetspot.step": "1",
        "sweetspot.model": "thread_pool",
        "sweetspot.worker": "worker-3",
    }


def test_every_span_says_of_which_model_it_is_and_by_whom(recorded: Recorded) -> None:
    trace = recorded.tracing.server_call(CALLER.headers, RUN)
    assert trace is not None
    trace.step("compute", 1_000, 2_000, 0)
    elsewhere = recorded.tracing.same_call(trace.carried("worker-1"))
    elsewhere.step("sleep", 2_000, 3_000, 1)
    elsewhere.waited("reply", 3_000, 4_000)
    elsewhere.end(500, 1_000, 5_000, OK, "worker-2")

    told = {name: _attributes(span) for name, span in recorded.spans().items()}
    assert {span["sweetspot.model"] for span in told.values()} == {"thread_pool"}
    assert {name: span["sweetspot.worker"] for name, span in told.items()} == {
        "sweetspot.v1.Workload/Run": "worker-2",
        "queue": "worker-2",
        "run": "worker-2",
        "compute": "worker-1",
        "sleep": "worker-2",
        "queue reply": "worker-2",
    }


def test_monotonic_times_become_epoch_times_without_losing_a_nanosecond(recorded: Recorded) -> None:
    serve(recorded)
    monotonic_ns, epoch_ns = time.monotonic_ns(), time.time_ns()

    spans = recorded.spans()
    start_ns = int(spans[RUN[1:]]["startTimeUnixNano"])
    assert {
        name: (int(span["startTimeUnixNano"]) - start_ns, int(span["endTimeUnixNano"]) - start_ns)
        for name, span in spans.items()
    } == {
        "sweetspot.v1.Workload/Run": (0, 4_000),
        "queue": (0, 1_000),
        "run": (1_000, 4_000),
        "compute": (1_000, 2_000),
        "sweetspot.v1.Backend/Fetch": (2_000, 3_000),
    }
    # A second: this test, too, reads two clocks, and may be put aside between them.
    assert start_ns == pytest.approx(epoch_ns - monotonic_ns + 1_000, abs=1_000_000_000)


def test_a_call_that_no_worker_took_waited_all_its_time(recorded: Recorded) -> None:
    trace = recorded.tracing.server_call(CALLER.headers, RUN)
    assert trace is not None
    trace.end(1_000, None, 5_000, RESOURCE_EXHAUSTED, "")

    spans = recorded.spans()
    assert set(spans) == {"sweetspot.v1.Workload/Run", "queue"}
    assert int(spans["queue"]["endTimeUnixNano"]) - int(spans["queue"]["startTimeUnixNano"]) == 4_000


@pytest.mark.parametrize("code", [INTERNAL_ERROR, UNAVAILABLE], ids=["INTERNAL", "UNAVAILABLE"])
def test_what_a_server_did_wrong_is_an_error_of_its_span(
    recorded: Recorded, code: int, request: pytest.FixtureRequest
) -> None:
    serve(recorded, code=code)

    span = recorded.span("sweetspot.v1.Workload/Run")
    name = request.node.callspec.id
    assert span["status"]["code"] == ERROR
    assert _attributes(span)["error.type"] == _attributes(span)["rpc.response.status_code"] == name


def test_what_a_client_did_wrong_is_no_error_of_the_server(recorded: Recorded) -> None:
    serve(recorded, code=INVALID_ARGUMENT)

    span = recorded.span("sweetspot.v1.Workload/Run")
    assert "code" not in span["status"]
    assert "error.type" not in _attributes(span)
    assert _attributes(span)["rpc.response.status_code"] == "INVALID_ARGUMENT"


def test_to_a_client_every_status_but_ok_is_an_error(recorded: Recorded) -> None:
    recorded.tracing.end_client_call(
        TraceContext.root(), RUN, intended_ns=1, sent_ns=1, ended_ns=2, code=INVALID_ARGUMENT
    )

    assert recorded.span("sweetspot.v1.Workload/Run")["status"]["code"] == ERROR


def test_a_drivers_span_begins_when_the_call_was_meant_to_be_sent(recorded: Recorded) -> None:
    root = TraceContext.root()
    recorded.tracing.end_client_call(root, RUN, intended_ns=1_000, sent_ns=1_700, ended_ns=9_000, code=OK)

    span = recorded.span("sweetspot.v1.Workload/Run")
    (event,) = span["events"]
    assert root.traceparent == f"00-{span['traceId']}-{span['spanId']}-01"
    assert "parentSpanId" not in span
    assert span["kind"] == CLIENT
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) == 8_000
    assert event["name"] == "sent"
    assert int(event["timeUnixNano"]) - int(span["startTimeUnixNano"]) == 700
    assert _attributes(span)["sweetspot.lateness_ns"] == "700"


def test_a_call_that_was_never_sent_has_no_lateness(recorded: Recorded) -> None:
    recorded.tracing.end_client_call(
        TraceContext.root(), RUN, intended_ns=1, sent_ns=None, ended_ns=2, code=UNAVAILABLE
    )

    span = recorded.span("sweetspot.v1.Workload/Run")
    assert "events" not in span
    assert "sweetspot.lateness_ns" not in _attributes(span)


def test_a_call_of_a_mix_names_its_kind(recorded: Recorded) -> None:
    recorded.tracing.end_client_call(
        TraceContext.root(), RUN, intended_ns=1, sent_ns=1, ended_ns=2, code=OK, kind="seldom"
    )

    assert _attributes(recorded.span("sweetspot.v1.Workload/Run"))["sweetspot.kind"] == "seldom"


def test_the_process_is_named_once_for_all_its_spans(recorded: Recorded) -> None:
    serve(recorded)

    named = recorded.resource()
    assert named["service.name"] == "thread-pool"
    assert named["host.name"] == socket.gethostname()
    assert named["process.pid"] == str(os.getpid())
    assert named["sweetspot.model"] == "thread_pool"


@pytest.mark.parametrize("headers", [(), (("traceparent", ""),), (("traceparent", f"00-{1:032x}-{2:016x}-00"),)])
def test_a_call_that_its_caller_did_not_sample_is_not_traced(recorded: Recorded, headers: Headers) -> None:
    assert recorded.tracing.server_call(headers, RUN) is None


LABELS: Labels = {
    "sweetspot.run": "nightly 1",
    "sweetspot.trial": "thread_pool-1000",
    "sweetspot.connections": 1000,
    "sweetspot.shard": 0,
}


def test_every_span_of_a_call_says_of_which_run_it_is_as_its_caller_has_said(recorded: Recorded) -> None:
    caller = TraceContext(1, 2, baggage=to_baggage(LABELS))
    trace = recorded.tracing.server_call(caller.headers, RUN)
    assert trace is not None
    trace.step("compute", 1_000, 2_000, 0)
    trace.end_child(trace.child(), 2_000, 3_000, 1, OK)
    trace.end(500, 1_000, 5_000, OK, "worker-2")

    said = {name: str(value) for name, value in LABELS.items()}
    for span in recorded.spans().values():
        assert said.items() <= _attributes(span).items(), span["name"]


def test_a_call_cannot_say_that_it_was_run_by_another_model(recorded: Recorded) -> None:
    caller = TraceContext(1, 2, baggage=to_baggage({"sweetspot.model": "reactor"}))
    trace = recorded.tracing.server_call(caller.headers, RUN)
    assert trace is not None
    trace.end(500, 1_000, 5_000, OK, "")

    assert _attributes(recorded.span(RUN[1:]))["sweetspot.model"] == "thread_pool"


def test_a_root_span_has_what_a_search_for_the_slowest_call_of_a_trial_needs(recorded: Recorded) -> None:
    root = TraceContext.root(to_baggage({**LABELS, "sweetspot.model": "reactor"}))
    recorded.tracing.end_client_call(root, RUN, intended_ns=1, sent_ns=1, ended_ns=2, code=OK, measured=True)

    has = _attributes(recorded.span(RUN[1:]))
    assert (has["sweetspot.model"], has["sweetspot.connections"]) == ("reactor", "1000")
    assert (has["sweetspot.run"], has["sweetspot.trial"]) == ("nightly 1", "thread_pool-1000")
    assert has["sweetspot.measured"] is True


def test_a_callers_tracestate_and_baggage_go_on_to_the_backend_and_the_state_into_the_spans(recorded: Recorded) -> None:
    trace = recorded.tracing.server_call((*CALLER.headers, ("tracestate", "a=1"), ("baggage", "b=2")), RUN)
    assert trace is not None
    sent = dict(trace.child().headers)
    trace.end(500, 1_000, 5_000, OK, "")

    assert (sent["tracestate"], sent["baggage"]) == ("a=1", "b=2")
    assert {span["traceState"] for span in recorded.spans().values()} == {"a=1"}


def test_a_wrong_measurement_costs_the_spans_and_not_the_call(recorded: Recorded) -> None:
    trace = recorded.tracing.server_call(CALLER.headers, RUN)
    assert trace is not None
    trace.end("yesterday", 2, 3, OK, "worker-3")  # type: ignore[arg-type]

    recorded.tracing.close()
    assert recorded.tracing.counts.dropped == recorded.tracing.counts.made == 3
