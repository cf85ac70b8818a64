"""Which traces are shown, and how missing ones are reported."""

import dataclasses
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.tools import sample
from tools import traces
from tools.results import Trial
from tools.traces import ProcessSpans, StoredCall


def trial(*latencies_ns: int, status: str = "OK", **calls: Any) -> Trial:
    made = sample.trial("reactor", 10)
    listed = [{"trace_id": f"{at:032x}", "latency_ns": each, "status": status} for at, each in enumerate(latencies_ns)]
    result = {**made.result, "traces": listed, "calls": {**made.result["calls"], **calls}}
    return dataclasses.replace(made, result=result)


def latencies(calls: list[StoredCall]) -> list[int]:
    return [call.latency_ns for call in calls]


def test_the_median_and_the_slowest_are_of_the_calls_as_they_came() -> None:
    calls = traces.traced(trial(50, 10, 40, 20, 30))
    assert traces.median(calls).latency_ns == 30
    assert latencies(traces.slowest(calls)) == [50, 40, 30]


def test_the_median_is_of_calls_that_ended_well_where_there_are_some() -> None:
    failed = StoredCall("f", 1, "UNAVAILABLE")
    assert traces.median([failed, failed, StoredCall("a", 7, "OK")]).latency_ns == 7
    assert traces.median([failed]) == failed


@pytest.mark.parametrize(
    ("latencies_ns", "buckets"),
    [
        ([], []),
        ([0, 999], [(0, 1_000, 2)]),
        ([1_000, 1_999, 2_000], [(1_000, 2_000, 2), (2_000, 5_000, 1)]),
        ([7_000_000, 60_000_000_000], [(5_000_000, 10_000_000, 1), (50_000_000_000, 100_000_000_000, 1)]),
    ],
)
def test_every_call_is_in_the_one_bucket_of_its_latency(
    latencies_ns: list[int], buckets: list[tuple[int, int, int]]
) -> None:
    found = traces.buckets(traces.traced(trial(*latencies_ns)))
    assert [(bucket.low_ns, bucket.high_ns, len(bucket.calls)) for bucket in found] == buckets


@pytest.mark.parametrize(
    ("tally", "there", "said"),
    [
        (ProcessSpans("driver", 4, 4, 4), 4, []),
        (
            ProcessSpans("backend", 4, 1, 1, {"timeout": 1, "unauthorised": 2}), 4,
            ["backend could not export 3 of 4 spans: 2 unauthorised, 1 timeout"],
        ),
        (
            ProcessSpans("backend", 4, 4, 2), 2,
            ["2 exported spans are not stored, 2 of 4 traces not at all: the store was restarted or retains fewer "
             "traces (jaeger.maxTraces of the chart)"],
        ),
        (
            ProcessSpans("reactor", 9, 9, 4), 4,
            ["5 exported spans are not stored though their traces are: the store or its queue dropped them"],
        ),
    ],
)  # fmt: skip
def test_spans_that_are_missing_have_a_cause(tally: ProcessSpans, there: int, said: list[str]) -> None:
    made = trial(1, 2, 3, 4)
    made = dataclasses.replace(made, result={**made.result, "spans": {"made": 4, "exported": 4, "dropped": 0}})
    assert list(traces.shortfalls(made, [tally], there)) == said


def test_what_was_made_exported_and_stored_stand_side_by_side() -> None:
    counts = {"made": 3, "exported": 2, "dropped": 1}
    made = dataclasses.replace(trial(1), spans={"driver": counts, "backend": counts})
    assert traces.tallies(made, {"driver": 2}) == [ProcessSpans("driver", 3, 2, 2), ProcessSpans("backend", 3, 2, 0)]


def test_one_search_finds_the_slowest_traced_call_of_a_model_at_so_many_connections() -> None:
    found = traces.Jaeger("http://j", "nightly").slowest(trial(5_000_999, 7_000_999, 6_000_000))
    assert found is not None
    url = urlsplit(found)
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert (url.netloc, url.path, query["service"]) == ("j", "/search", "driver")
    assert json.loads(query["tags"]) == {
        "sweetspot.model": "reactor",
        "sweetspot.connections": "10",
        "sweetspot.run": "nightly",
        "sweetspot.trial": "reactor-10-1",
        "sweetspot.measured": "true",
    }
    assert query["minDuration"] == "7000us"
    assert int(query["end"]) - int(query["start"]) > (1 + sample.DURATION_S + 10) * 1e6
    assert traces.Jaeger("http://j", "nightly").slowest(trial()) is None


def test_the_slowest_traced_call_is_shown_beside_the_slowest_of_all() -> None:
    made = trial(494_000_000, 3_000_000, planned=2_000, traced=200)
    result = {**made.result, "latency_ns": {**made.result["latency_ns"], "max": 1_686_000_000}}
    assert traces.drawn(dataclasses.replace(made, result=result)) == (
        "200 of 2,000 calls were traced, drawn by chance: of those answered the slowest traced took 494 ms, "
        "the slowest of all 1.69 s."
    )
    assert traces.drawn(trial(9, status="UNAVAILABLE", planned=10, traced=1)) == (
        "1 of 10 calls were traced, drawn by chance."
    )
