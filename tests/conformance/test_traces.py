"""What goes with a traced call reaches the backend, whichever way the call takes through a model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from sweetspot.v1 import control_pb2, workload_pb2

from services.telemetry import TraceContext
from services.telemetry.labels import to_baggage
from tests.conformance.conftest import Workload
from tests.serving import Serving, serving

FETCH = workload_pb2.Step(call=workload_pb2.Call(delay_us=0))
TIMEOUT_S = 20
ONE_OF_EACH_WAY = ["thread_pool", "reactor", "partitioned", "seda", "coroutines", "grpcio_threads", "grpcio_asyncio"]
"""Others share their ways to read a call, to hand it on and to ask the backend."""


def spans(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        for group in json.loads(line)["resourceSpans"]:
            for scope in group["scopeSpans"]:
                yield from scope["spans"]


@pytest.fixture(scope="module")
def traced_backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Path]]:
    file = tmp_path_factory.mktemp("backend") / "spans.jsonl"
    with serving("backend", f"--trace-file={file}") as backend:
        yield backend, file


def all_exported(counters: control_pb2.SnapshotReply) -> bool:
    return 0 < counters.spans.made == counters.spans.exported


@pytest.mark.parametrize("model", ONE_OF_EACH_WAY)
def test_tracestate_and_the_run_reach_every_span_behind_the_driver(
    model: str, traced_backend: tuple[Serving, Path], tmp_path: Path
) -> None:
    backend, file_there = traced_backend
    file = tmp_path / "spans.jsonl"
    root = TraceContext.root(to_baggage({"sweetspot.run": "nightly"}))
    with (
        serving(model, f"--backend={backend.address}", f"--trace-file={file}") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        metadata = (*root.headers, ("tracestate", "congo=t61"))
        Workload(channel).run(workload_pb2.RunRequest(steps=[FETCH]), metadata=metadata, timeout=TIMEOUT_S)
        for each in (service, backend):
            each.wait_until(all_exported, "spans are not exported")
    found = [span for path in (file, file_there) for span in spans(path) if span["traceId"] == f"{root.trace_id:032x}"]
    ids = {span["spanId"] for span in found} | {f"{root.span_id:016x}"}
    run = {"key": "sweetspot.run", "value": {"stringValue": "nightly"}}
    assert [span["name"] for span in found].count("sweetspot.v1.Backend/Fetch") == 2, "the asker's and the backend's"
    assert {(span["traceState"], run in span["attributes"]) for span in found} == {("congo=t61", True)}
    assert {span["parentSpanId"] for span in found} <= ids, "the spans are one tree"
