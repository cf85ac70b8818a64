"""The slowest call of a kind, and the calls that its worker ran in its stead."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.tools.sample import trial
from tools.claims import timeline
from tools.claims.slowest_call import SlowestCall, slowest
from tools.results import Trial

MS = 1_000_000
RECEIVED_MS = 1
"""Before it runs."""
Call = tuple[int, str, int, int, int, str]
"""Number, kind, when it was sent, ran and ended (ms), and its worker."""


def spans(call: Call) -> list[dict[str, Any]]:
    """As the processes write them."""
    number, kind, sent_ms, run_ms, ended_ms, worker = call

    def span(place: int, parent: int, name: str, begin_ms: int, **attributes: str) -> dict[str, Any]:
        return {
            "traceId": f"{number:032x}",
            "spanId": f"{16 * number + place:016x}",
            "parentSpanId": f"{16 * number + parent:016x}" if parent else "",
            "name": name,
            "startTimeUnixNano": str(begin_ms * MS),
            "endTimeUnixNano": str(ended_ms * MS),
            "attributes": [
                {"key": f"sweetspot.{key}", "value": {"stringValue": one}} for key, one in attributes.items()
            ],
        }

    return [
        span(1, 0, "sweetspot.v1.Workload/Run", sent_ms, kind=kind),
        span(2, 1, "sweetspot.v1.Workload/Run", run_ms - RECEIVED_MS),
        span(3, 2, "run", run_ms, worker=worker),
    ]


CALLS: Sequence[Call] = (
    (1, "innocent", 0, 2, 3, "loop"),
    (2, "blocking", 9, 10, 60, "loop"),
    (3, "innocent", 11, 62, 63, "loop"),
    (4, "blocking", 12, 13, 63, "another loop"),
    (5, "blocking", 64, 65, 300, "loop"),
)


@pytest.fixture
def found(tmp_path: Path) -> tuple[Path, Trial]:
    """A trial with those calls."""
    (tmp_path / "traces").mkdir()
    lines: dict[str, list[str]] = {"driver": [], "reactor": []}
    for call in CALLS:
        driver, *service = spans(call)
        for process, made in (("driver", [driver]), ("reactor", service)):
            resource = {"attributes": [{"key": "service.name", "value": {"stringValue": process}}]}
            request = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": made}]}]}
            lines[process].append(f"{json.dumps(request)}\n")
    for process, requests in lines.items():
        (tmp_path / "traces" / f"{process}.jsonl").write_text("".join(requests))
    traces = [
        {"trace_id": f"{number:032x}", "latency_ns": (ended - sent) * MS, "status": "OK"}
        for number, _, sent, _, ended, _ in CALLS
    ]
    return tmp_path, trial("reactor", 10, traces=traces)


def test_the_slowest_call_of_a_kind_is_found_with_those_before_it(found: tuple[Path, Trial]) -> None:
    call = slowest(*found, "innocent")
    assert call is not None
    assert call.shown.call.latency_ns == 52 * MS
    assert [(other.kind, other.offset_ns / MS, other.duration_ns / MS) for other in call.others] == [
        ("blocking", -1, 50)
    ]


def test_all_calls_are_of_no_kind(found: tuple[Path, Trial]) -> None:
    call = slowest(*found, "")
    assert call is not None
    assert call.shown.call.latency_ns == 236 * MS


def test_no_call_is_shown_without_its_spans(found: tuple[Path, Trial]) -> None:
    folder, of_it = found
    (folder / "traces" / "reactor.jsonl").unlink()
    assert slowest(folder, of_it, "innocent") is None
    assert slowest(folder, of_it, "guilty") is None


def test_spans_are_drawn_as_bars(found: tuple[Path, Trial]) -> None:
    shown = io.StringIO()
    call = slowest(*found, "innocent")
    assert isinstance(call, SlowestCall)
    timeline.show(Console(file=shown, width=100), call, "loop")
    head, scale, other, driver, service, run, account = shown.getvalue().strip().splitlines()
    assert head == "slowest innocent call of loop: 52 ms; the median is 52 ms"
    assert scale.split() == ["0", "52", "ms"]
    assert other.startswith("another call: blocking            ━━━")
    assert (other.count("━"), driver.count("━"), service.count("━"), run.count("━")) == (45, 48, 2, 1)
    assert service.startswith("  reactor: Run")
    assert run.rstrip().endswith("━  1 ms")
    assert account == "of it wire 50 ms, running 1 ms, unexplained 1 ms"
