"""Every span arrives or is counted as lost, whatever the collector, the disk or a fork does; and off costs nothing."""

import json
import logging
import logging.handlers
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from services.telemetry import Counts, TraceContext, Tracing, pipeline

RUN = "sweetspot.v1.Workload/Run"


class Collector(ThreadingHTTPServer):
    """Counts the spans that it is sent, by the process that made them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = HTTPStatus.OK
        self.content_type, self.body = "application/x-protobuf", b""
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.spans_of_pid: Counter[int] = Counter()
        self.lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/v1/traces"
        with self.server.lock:
            for group in request.resource_spans:
                named = {attribute.key: attribute.value for attribute in group.resource.attributes}
                count = sum(len(scope.spans) for scope in group.scope_spans)
                self.server.spans_of_pid[named["process.pid"].int_value] += count
        self.server.may_answer.wait(timeout=30)
        self.send_response(self.server.answer)
        self.send_header("content-type", self.server.content_type)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are silent."""


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dead_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kernel accepts the connection, and no process ever reads it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield


def tracing_to(trace_file: Path | None = None) -> Tracing:
    tracing = Tracing.from_environment("driver", model=None, trace_file=trace_file)
    assert tracing is not None
    return tracing


def wait_for_an_answer(tracing: Tracing) -> None:
    """Until the first export has failed; the exporter may still try again."""
    until_s = time.monotonic() + 20
    while tracing._pipeline._session.why is None:
        assert time.monotonic() < until_s
        time.sleep(0.01)


def record(tracing: Tracing, count: int) -> None:
    for _ in range(count):
        tracing.end_client_call(TraceContext.root(), RUN, intended_ns=1, sent_ns=1, ended_ns=2, code=0)


def python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True, timeout=60)
    return done.stdout


def test_tracing_that_is_off_loads_nothing_of_opentelemetry() -> None:
    loaded = python(
        "import json, sys\n"
        "from services.telemetry import Tracing\n"
        "assert Tracing.from_environment('reactor', model='reactor', trace_file=None) is None\n"
        "print(json.dumps([name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'requests')]))"
    )
    assert json.loads(loaded) == []


def test_the_spans_of_forked_processes_all_arrive(collector: Collector) -> None:
    pids = python(
        "import os\n"
        "from services.telemetry import TraceContext, Tracing\n"
        "def child():\n"
        "    tracing = Tracing.from_environment('prefork', model='prefork', trace_file=None)\n"
        "    for _ in range(100):\n"
        "        tracing.end_client_call(TraceContext.root(), 'a.B/C', intended_ns=1, sent_ns=1, ended_ns=2, code=0)\n"
        "    tracing.close()\n"
        "    os._exit(0)\n"
        "pids = [os.fork() or child() for _ in range(4)]\n"
        "for pid in pids:\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "print(*pids)\n"
    )
    assert collector.spans_of_pid == {int(pid): 100 for pid in pids.split()}
    assert collector.spans_of_pid.total() == 400


def test_a_burst_of_ten_thousand_spans_loses_none(collector: Collector) -> None:
    tracing = tracing_to()
    record(tracing, 10_000)
    tracing.close(timeout_s=60)

    assert tracing.counts == Counts(made=10_000, exported=10_000, dropped=0)
    assert collector.spans_of_pid.total() == 10_000


def test_spans_recorded_by_many_threads_are_all_counted(collector: Collector) -> None:
    tracing = tracing_to()
    threads = [threading.Thread(target=record, args=(tracing, 200)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tracing.close(timeout_s=60)

    assert tracing.counts.made == tracing.counts.exported == collector.spans_of_pid.total() == 1_600


@pytest.mark.usefixtures("dead_collector")
def test_a_span_without_room_to_wait_is_counted_as_dropped_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_MAX_WAITING", 1_000)
    tracing = tracing_to()
    record(tracing, 1_500)

    assert tracing.counts == Counts(made=1_500, exported=0, dropped=500, lost={"queue full": 500})
    tracing.close(timeout_s=0.01)


@pytest.mark.usefixtures("dead_collector")
def test_a_dead_collector_delays_the_exit_by_the_timeout_and_no_more() -> None:
    began_ns = python(
        "import time\n"
        "from services.telemetry import TraceContext, Tracing\n"
        "tracing = Tracing.from_environment('driver', model=None, trace_file=None)\n"
        "tracing.end_client_call(TraceContext.root(), 'a.B/C', intended_ns=1, sent_ns=1, ended_ns=2, code=0)\n"
        "print(time.monotonic_ns())\n"
        "tracing.close(timeout_s=0.5)\n"
        "assert tracing.counts.dropped == 1\n"
    )
    took_s = (time.monotonic_ns() - int(began_ns)) / 1e9
    assert 0.5 <= took_s <= 2.5


def test_a_confirmation_that_comes_after_closing_changes_no_count(collector: Collector) -> None:
    collector.may_answer.clear()
    tracing = tracing_to()
    record(tracing, 1)
    tracing.close(timeout_s=0.01)
    at_close = tracing.counts
    collector.may_answer.set()
    *_, closer = (thread for thread in threading.enumerate() if thread.name == "telemetry-close")
    closer.join(timeout=30)

    assert collector.spans_of_pid.total() == 1
    assert tracing.counts == at_close == Counts(made=1, exported=0, dropped=1, lost={"timeout": 1})


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (HTTPStatus.BAD_REQUEST, "rejected by the collector"),
        (HTTPStatus.UNAUTHORIZED, "unauthorised"),
        (HTTPStatus.FORBIDDEN, "unauthorised"),
        (HTTPStatus.NOT_FOUND, "wrong protocol"),
        (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wrong protocol"),
        pytest.param(HTTPStatus.FOUND, "wrong protocol", id="302, which the SDK takes for success"),
        (HTTPStatus.INTERNAL_SERVER_ERROR, "collector busy or failing"),
        pytest.param(HTTPStatus.SERVICE_UNAVAILABLE, "collector busy or failing", id="503, which is tried again"),
    ],
)
def test_spans_that_the_collector_refuses_are_dropped_for_its_reason(
    collector: Collector, caplog: pytest.LogCaptureFixture, answer: HTTPStatus, lost: str
) -> None:
    collector.answer = answer
    tracing = tracing_to()
    record(tracing, 10)
    wait_for_an_answer(tracing)
    tracing.close(timeout_s=0.1)

    assert tracing.counts == Counts(made=10, exported=0, dropped=10, lost={lost: 10})
    assert logged(caplog) == [
        f"telemetry: 10 of 10 spans were lost: 10 {lost} ({collector.endpoint}: status {answer.value} {answer.phrase})"
    ]


def test_the_sdk_s_own_log_is_not_shown_even_where_something_else_has_set_up_logging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = logging.handlers.BufferingHandler(1_000)
    logging.getLogger().addHandler(shown)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", next(refuse_connections())[0])
    tracing = tracing_to()
    record(tracing, 1)
    wait_for_an_answer(tracing)
    tracing.close(timeout_s=0.1)
    logging.getLogger().removeHandler(shown)
    assert [entry.name for entry in shown.buffer] == ["services.telemetry.pipeline"]


def test_a_web_page_is_no_collector(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    collector.content_type = "text/html; charset=utf-8"
    tracing = tracing_to()
    record(tracing, 10)
    tracing.close()

    assert tracing.counts == Counts(made=10, exported=0, dropped=10, lost={"wrong protocol": 10})
    assert "a web page, which is not OTLP/HTTP; a collector serves OTLP/HTTP on port 4318" in logged(caplog)[0]


def test_of_a_partial_success_the_rejected_spans_are_dropped(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    collector.body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    tracing = tracing_to()
    record(tracing, 10)
    tracing.close()

    assert tracing.counts == Counts(made=10, exported=7, dropped=3, lost={"rejected by the collector": 3})
    assert logged(caplog)[0].endswith(f"3 rejected by the collector ({collector.endpoint}: too old)")


@pytest.mark.parametrize(("claimed", "dropped"), [(1 << 40, 10), (-3, 0)], ids=["more than it was sent", "less than 0"])
def test_a_collector_cannot_reject_what_it_was_not_sent(collector: Collector, claimed: int, dropped: int) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=claimed)
    collector.body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    tracing = tracing_to()
    record(tracing, 10)
    tracing.close()

    counts = tracing.counts
    assert (counts.made, counts.exported, counts.dropped) == (10, 10 - dropped, dropped)


def refuse_connections() -> Iterator[tuple[str, str]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}", "collector unreachable (http://127.0.0.1:{port}: connection refused)"


def say_nothing() -> Iterator[tuple[str, str]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", "timeout (http://127.0.0.1:{port}: no answer"


def speak_grpc() -> Iterator[tuple[str, str]]:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", "wrong protocol (http://127.0.0.1:{port}: the answer is not OTLP/HTTP; "
    server.stop(None)


def speak_no_tls() -> Iterator[tuple[str, str]]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", "TLS failed (https://127.0.0.1:{port}: "
        server.shutdown()
        thread.join()


def have_no_name() -> Iterator[tuple[str, str]]:
    yield (
        "http://collector.invalid:4318",
        "collector unreachable (http://collector.invalid:{port}: its name cannot be resolved",
    )


@pytest.mark.parametrize("nobody", [refuse_connections, say_nothing, speak_grpc, speak_no_tls, have_no_name])
def test_spans_that_no_collector_answers_for_are_lost_for_a_reason(
    nobody: Callable[[], Iterator[tuple[str, str]]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with contextmanager(nobody)() as (endpoint, why):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        tracing = tracing_to()
        record(tracing, 18)
        if nobody is not say_nothing:
            wait_for_an_answer(tracing)
        tracing.close(timeout_s=0.1)
    port = endpoint.rpartition(":")[2]
    assert logged(caplog)[0].startswith(f"telemetry: 18 of 18 spans were lost: 18 {why.format(port=port)}")
    assert sum(tracing.counts.lost.values()) == tracing.counts.dropped == 18


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What a user reads: the log of the SDK is not shown."""
    return [entry.getMessage() for entry in caplog.records if entry.name.startswith("services.telemetry")]


def test_lost_spans_are_logged_in_one_line_with_why(caplog: pytest.LogCaptureFixture) -> None:
    tracing = tracing_to(Path("/dev/full"))
    record(tracing, 10)
    tracing.close()

    assert tracing.counts == Counts(made=10, exported=0, dropped=10, lost={"file not written": 10})
    assert logged(caplog) == [
        "telemetry: 10 of 10 spans were lost: 10 file not written (/dev/full: No space left on device)"
    ]


def test_a_span_recorded_after_closing_is_counted_as_dropped(tmp_path: Path) -> None:
    tracing = tracing_to(tmp_path / "driver.jsonl")
    tracing.close()
    record(tracing, 1)

    assert tracing.counts == Counts(made=1, exported=0, dropped=1, lost={"recorded too late or not at all": 1})


def test_a_collector_is_preferred_to_a_file(collector: Collector, tmp_path: Path) -> None:
    tracing = tracing_to(tmp_path / "driver.jsonl")
    record(tracing, 1)
    tracing.close()

    assert collector.spans_of_pid.total() == 1
    assert not (tmp_path / "driver.jsonl").exists()


def test_the_endpoint_of_traces_alone_is_taken_as_it_is(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.endpoint}/v1/traces")
    tracing = tracing_to()
    record(tracing, 1)
    tracing.close()

    assert collector.spans_of_pid.total() == 1


def test_processes_that_share_a_file_append_to_it(tmp_path: Path) -> None:
    path = tmp_path / "prefork.jsonl"
    writers = [tracing_to(path), tracing_to(path)]
    for tracing in writers:
        record(tracing, 600)
    for tracing in writers:
        tracing.close()

    requests = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum(len(request["resourceSpans"][0]["scopeSpans"][0]["spans"]) for request in requests) == 1_200


def test_a_file_that_cannot_be_written_is_told_when_tracing_starts(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tracing_to(tmp_path / "missing" / "driver.jsonl")


@pytest.mark.parametrize(
    ("variable", "to_file"),
    [
        (("OTEL_SDK_DISABLED", "true"), False),
        (("OTEL_TRACES_SAMPLER", "always_off"), False),
        (("OTEL_TRACES_EXPORTER", "none"), True),
    ],
)
def test_a_collector_gets_no_span_where_a_variable_says_so(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: tuple[str, str], to_file: bool
) -> None:
    monkeypatch.setenv(*variable)
    assert Tracing.from_environment("driver", model=None, trace_file=None) is None
    tracing = Tracing.from_environment("driver", model=None, trace_file=tmp_path / "driver.jsonl")
    assert (tracing is not None) is to_file
    if tracing is not None:
        record(tracing, 1)
        tracing.close()
        assert tracing.counts.exported == 1
    assert collector.spans_of_pid.total() == 0


def test_a_service_has_the_name_that_the_environment_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=1.2,host.name=elsewhere")
    tracing = tracing_to(tmp_path / "driver.jsonl")
    record(tracing, 1)
    tracing.close()
    (request,) = map(json.loads, (tmp_path / "driver.jsonl").read_text(encoding="utf-8").splitlines())
    said = {each["key"]: each["value"] for each in request["resourceSpans"][0]["resource"]["attributes"]}
    assert {name: said[name]["stringValue"] for name in ("service.name", "service.version", "host.name")} == {
        "service.name": "shop",
        "service.version": "1.2",
        "host.name": "elsewhere",
    }


def test_the_queue_is_as_long_as_the_environment_says(dead_collector: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    tracing = tracing_to()
    record(tracing, 150)
    assert tracing.counts.dropped == 50
    tracing.close(timeout_s=0.01)
