"""What a call costs, from the spans of a service: which time is its own, and which is wait."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.experiment import Objective
from tools.size import trace_cost
from tools.size.cost import REPLY_BYTES, Cost, Part
from tools.size.need import Need
from tools.size.trace_cost import LEAST_CALLS
from tools.status import PlainError

MS = 1_000_000
SERVER, CLIENT, INTERNAL = 2, 3, 1
Written = tuple[str, str, int, float, float]
"""Id, id of the parent, kind, start and end in milliseconds."""

CALL: list[Written] = [
    ("a", "", SERVER, 0, 30),
    ("b", "a", CLIENT, 5, 15),
    ("c", "a", CLIENT, 10, 20),  # overlaps the first: 15 ms in all
    ("d", "a", INTERNAL, 22, 28),
    ("e", "d", CLIENT, 23, 27),  # below a span of its own: 4 ms more
]
"""A call of 30 ms that waits 19 ms for three calls to others."""


def otlp(spans: list[Written], trace: int, service: str = "shop") -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": f"{trace:032x}",
                                "spanId": span,
                                "parentSpanId": parent,
                                "name": span,
                                "kind": kind,
                                "startTimeUnixNano": str(round(start * MS)),
                                "endTimeUnixNano": str(round(end * MS)),
                            }
                            for span, parent, kind, start, end in spans
                        ]
                    }
                ],
            }
        ]
    }


def jaeger(spans: list[Written], trace: int) -> dict[str, Any]:
    kinds = {SERVER: "server", CLIENT: "client", INTERNAL: "internal"}
    return {
        "processes": {"p1": {"serviceName": "shop"}},
        "spans": [
            {
                "traceID": str(trace),
                "spanID": span,
                "operationName": span,
                "references": [{"refType": "CHILD_OF", "traceID": str(trace), "spanID": parent}] if parent else [],
                "startTime": round(start * 1000),
                "duration": round((end - start) * 1000),
                "tags": [{"key": "span.kind", "type": "string", "value": kinds[kind]}],
                "processID": "p1",
            }
            for span, parent, kind, start, end in spans
        ],
    }


FORMS: dict[str, Callable[[], str]] = {
    "OTLP, a document in each line": lambda: "\n".join(json.dumps(otlp(CALL, n)) for n in range(LEAST_CALLS)),
    "OTLP in one document": lambda: json.dumps(
        {"resourceSpans": [group for n in range(LEAST_CALLS) for group in otlp(CALL, n)["resourceSpans"]]}
    ),
    "an answer of Jaeger's query API": lambda: json.dumps({"data": [jaeger(CALL, n) for n in range(LEAST_CALLS)]}),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_time_in_calls_to_others_is_wait_and_the_rest_is_the_calls_own(tmp_path: Path, form: str) -> None:
    path = tmp_path / "spans.json"
    path.write_text(FORMS[form]())
    found = trace_cost.read(str(path), None)
    assert found.cost == Cost(cpu_ms=11.0, wait_ms=19.0, calls=3)
    assert str(found).startswith(f"{LEAST_CALLS} calls of shop: own time 11 ms (p50 11 ms, p99 11 ms), wait 19 ms")


def test_calls_that_take_much_longer_are_a_part_of_their_own(tmp_path: Path) -> None:
    """Of 40 calls, two wait ten times as long. The mean has all, and the mix has the same mean."""
    slow: list[Written] = [("a", "", SERVER, 0, 201), ("b", "a", CLIENT, 1, 191)]
    path = tmp_path / "spans.jsonl"
    path.write_text("\n".join(json.dumps(otlp(slow if n < 2 else CALL, n)) for n in range(40)))
    cost = trace_cost.read(str(path), None).cost
    assert cost.parts == (Part("usual", 0.95, 11.0, 19.0, 3), Part("slow", 0.05, 11.0, 190.0, 1))
    assert cost.wait_ms == pytest.approx(0.95 * 19 + 0.05 * 190)
    mix = cost.plan(lambda cpu_ms: round(1000 * cpu_ms))
    assert mix == {
        "mix": {
            "usual": {"share": 0.95, "steps": [_compute(11_000), *[_call(6333)] * 3]},
            "slow": {"share": 0.05, "steps": [_compute(11_000), _call(190_000)]},
        }
    }
    with pytest.raises(PlainError, match=r"'p99<150ms, .*' cannot be met: 5 % of the calls take 201 ms before they"):
        Need(cost, connections=1, rate_rps=1, objective=Objective(p99_ms=150), spare=0.3)
    assert Need(cost, connections=1, rate_rps=1, objective=Objective(p99_ms=250), spare=0.3).cost.total_ms < 40


def _compute(rounds: int) -> dict[str, Any]:
    return {"compute": {"rounds": rounds, "engine": "ENGINE_PYTHON"}}


def _call(delay_us: int) -> dict[str, Any]:
    return {"call": {"delay_us": delay_us, "reply_bytes": REPLY_BYTES}}


def test_spans_of_another_service_are_no_wait_of_this_one(tmp_path: Path) -> None:
    """The other one's span is below the client span of this one; its own client span is not this one's."""
    other: list[Written] = [("x", "b", SERVER, 6, 14), ("y", "x", CLIENT, 7, 13)]
    path = tmp_path / "spans.jsonl"
    lines = [json.dumps(each) for n in range(LEAST_CALLS) for each in (otlp(CALL, n), otlp(other, n, "stock"))]
    path.write_text("\n".join(lines))
    assert trace_cost.read(str(path), "shop").cost.wait_ms == 19
    assert trace_cost.read(str(path), "stock").cost == Cost(cpu_ms=2.0, wait_ms=6.0, calls=1)
    with pytest.raises(PlainError, match="has calls of shop, stock: choose one with --service"):
        trace_cost.read(str(path), None)
    with pytest.raises(PlainError, match="no calls of cart; there are calls of shop, stock"):
        trace_cost.read(str(path), "cart")


def _without(key: str) -> str:
    document = otlp(CALL, 1)
    for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        del span[key]
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_without("endTimeUnixNano"), "a span has no endTimeUnixNano: give OTLP JSON or Jaeger's JSON"),
        (json.dumps(otlp([("a", "", SERVER, 5, 5)], 1)), "span 'a' of shop has no duration: export spans with times"),
        (json.dumps(otlp([("a", "", CLIENT, 5, 9)], 1)), "no span of kind SERVER"),
        (json.dumps(otlp(CALL, 1)), f"1 calls of shop: at least {LEAST_CALLS} are needed"),
        ("{", "not JSON"),
        ("[1]", "neither OTLP JSON nor Jaeger's JSON"),
        ('{"a": 1}', "a span has no data: give OTLP JSON or Jaeger's JSON"),
    ],
)
def test_spans_that_state_no_cost_are_one_line_with_the_name_of_the_file(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "spans.json"
    path.write_text(text)
    with pytest.raises(PlainError) as refused:
        trace_cost.read(str(path), None)
    assert str(refused.value).startswith(f"{path}: ")
    assert why in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlainError, match=r"nosuch\.json: cannot be read: No such file or directory"):
        trace_cost.read(str(tmp_path / "nosuch.json"), None)
