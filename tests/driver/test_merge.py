"""Results of shards put together: what is true of the whole, and when there is no whole."""

import copy
import itertools
import json
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.driver import samples
from services.driver.merge import VoidRun, main, merge, start_spread_ns
from services.driver.plan import make_plan
from services.driver.result import write
from services.driver.samples import HIGHEST_NS, summarize
from tests.driver.runs import shard_results

LATENCIES = st.lists(st.integers(0, HIGHEST_NS + 10**9), max_size=50)


@given(st.lists(LATENCIES, min_size=1, max_size=6))
def test_a_merged_summary_is_that_of_the_union(parts: list[list[int]]) -> None:
    merged = samples.merge([summarize(array("Q", part)) for part in parts])
    union = summarize(array("Q", itertools.chain.from_iterable(parts)))
    # The mean of means weighs by counts, but rounds once more.
    assert (merged.pop("mean") or 0) == pytest.approx(union.pop("mean") or 0, rel=1e-12)
    assert merged == union


@pytest.fixture(scope="module")
def parts() -> list[dict[str, Any]]:
    plan = make_plan({"mix": {"often": {"share": 4}, "seldom": {"share": 1}}})
    return shard_results(2, plan, method="RunStream", deadline_s=10.0)


def test_the_whole_is_what_was_asked_and_every_call_is_in_it(parts: list[dict[str, Any]], tmp_path: Path) -> None:
    whole = merge(parts)
    assert write(tmp_path / "whole.json", whole)  # checks the schema
    assert whole["asked"]["connections"] == whole["got"]["connections"] == 3
    assert whole["calls"]["planned"] == 150
    assert whole["calls"]["ok"] == whole["latency_ns"]["count"] == sum(pod["answered"] for pod in whole["pods"])
    assert whole["calls"]["by_status"]["RESOURCE_EXHAUSTED"] == 150 - whole["calls"]["ok"]
    assert [shard["connections"] for shard in whole["shards"]] == [2, 1]
    assert whole["stream"]["messages"] == 3 * whole["calls"]["ok"]
    assert whole["stream"]["gap_ns"]["count"] == 2 * whole["stream"]["first_message_ns"]["count"]
    assert whole["got"]["within_deadline"] == whole["got"]["answered"]
    assert sum(kind["calls"]["planned"] for kind in whole["kinds"].values()) == 150
    assert sum(kind["latency_ns"]["count"] for kind in whole["kinds"].values()) == whole["calls"]["ok"]
    assert (whole["clients"]["asked"], whole["clients"]["answered"]) == (3, whole["calls"]["ok"])


def test_the_order_of_the_shards_does_not_matter(parts: list[dict[str, Any]]) -> None:
    assert merge(parts) == merge(parts[::-1])


def interrupted(parts: list[Any]) -> list[Any]:
    parts[1]["interrupted"] = True
    return parts


def other_plan(parts: list[Any]) -> list[Any]:
    parts[1]["plan"] = {"key": "x"}
    return parts


def older(parts: list[Any]) -> list[Any]:
    parts[1]["version"] = 3
    parts[1]["targets"] = parts[1].pop("addresses")
    return parts


def lost_call(parts: list[Any]) -> list[Any]:
    parts[1]["calls"]["ok"] -= 1
    return parts


def lost_latency(parts: list[Any]) -> list[Any]:
    parts[1]["latency_ns"]["count"] -= 1
    return parts


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda parts: parts[:1], "shard 1 of 2 wrote no result"),
        (lambda parts: parts[1:], "shard 0 of 2 wrote no result"),
        (lambda parts: [*parts, parts[1]], "shard 1 of 2 wrote 2 results: it was started more than once"),
        (interrupted, "shard 1 of 2 was interrupted"),
        (other_plan, "shard 1 of 2 had other settings: its plan differs"),
        (older, "shard 1 of 2 was written by another version: 3, not 4"),
        (lost_call, "shard 1 of 2 planned 50 calls, and its result has 49"),
        (lost_latency, "shard 1 of 2 answered 45 calls, and its histogram has 44"),
    ],
)
def test_what_is_not_each_shard_once_and_whole_is_no_result(
    change: Any, why: str, parts: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = change(copy.deepcopy(parts))
    with pytest.raises(VoidRun, match=why):
        merge(changed)
    paths = [tmp_path / f"{number}.json" for number in range(len(changed))]
    for path, part in zip(paths, changed, strict=True):
        path.write_text(json.dumps(part))
    assert main(["--out", str(tmp_path / "out.json"), *map(str, paths)]) == 2
    assert capsys.readouterr().err == f"services.driver.merge: {why}\n"
    assert not (tmp_path / "out.json").exists()


def test_the_start_spread_counts_what_the_clocks_may_hide() -> None:
    begun = [(0, 0), (300, 50), (100, 400)]
    entries = [{"begun_late_ns": late, "clock_uncertainty_ns": uncertainty} for late, uncertainty in begun]
    assert start_spread_ns(entries) == 500 - -300
