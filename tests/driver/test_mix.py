"""Runs with a mix of kinds of calls: what each kind got, beside the whole."""

import random
from collections import Counter
from itertools import islice
from typing import Any

import jsonschema
import pytest

from services.driver import samples
from services.driver.plan import make_plan
from services.driver.result import schema
from services.driver.shard import Shard
from services.driver.summary import summary
from services.wire import Limits
from tests.driver.fake_service import Act, FakeService
from tests.driver.runs import options, result_of, run

PLAN = make_plan({"mix": {"often": {"share": 9, "payload_bytes": 8}, "seldom": {"share": 1}}})
COUNTS = ("planned", "ok", "timed_out", "not_sent", "unfinished")


def kinds(first: int, last: int) -> list[str]:
    """Of the calls from `first` up to, not including, `last`."""
    return [request.kind for request in islice(PLAN.requests(1, Shard(), 1), first, last)]


@pytest.mark.parametrize("loop", [{"streams": 3}, {"streams": None, "rate_rps": 1000.0}])
def test_the_whole_is_the_sum_of_its_kinds(loop: dict[str, Any]) -> None:
    draw = random.Random(7)
    acts = (Act.REPLY, Act.REPLY, Act.REPLY, Act.REFUSE, Act.RESET, Act.IGNORE, Act.TURN_AWAY, Act.GARBAGE)
    with FakeService(lambda _: draw.choice(acts)).running() as address:
        result = result_of(options(address, connections=3, **loop), PLAN)
    jsonschema.validate(result, schema())
    parts = result["kinds"].values()
    assert {name: sum(part["calls"][name] for part in parts) for name in COUNTS} == {
        name: result["calls"][name] for name in COUNTS
    }
    assert sum((Counter(part["calls"]["by_status"]) for part in parts), Counter()) == result["calls"]["by_status"]
    assert sum((Counter(part["checksums"]) for part in parts), Counter()) == result["checksums"]
    for times in ("latency_ns", "service_time_ns", "lateness_ns"):
        assert samples.merge([part[times] for part in parts])["histogram"] == result[times]["histogram"]


def test_what_becomes_of_one_kind_is_not_booked_to_another() -> None:
    sent = kinds(0, 100_000)
    service = FakeService(lambda number: Act.REFUSE if sent[number] == "seldom" else Act.REPLY)
    with service.running() as address:
        result = result_of(options(address, connections=1, streams=1), PLAN)
    often, seldom = result["kinds"]["often"], result["kinds"]["seldom"]
    assert often["calls"]["planned"] == often["calls"]["ok"] == often["latency_ns"]["count"] > 0
    assert seldom["calls"]["by_status"] == {"RESOURCE_EXHAUSTED": seldom["calls"]["planned"]}
    assert f"{seldom['calls']['planned']:,} seldom: 0 ok, " in summary(result)


def test_a_traced_call_has_its_kind() -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        outcome = run(options(address, connections=1, streams=1, trace_ratio=1.0), PLAN)
    named = Counter(call.kind for call in outcome.traced if call.measured)
    assert named == {name: book.accounts.planned for name, book in outcome.books.items()}


@pytest.mark.parametrize("act", [Act.REPLY, Act.REFUSE, Act.IGNORE, Act.DROP])
def test_the_kind_of_an_arrival_does_not_depend_on_what_the_service_does(
    act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.driver.load.MAX_GRACE_S", 0.05)
    with FakeService(lambda _: act, Limits(max_concurrent_streams=1)).running() as address:
        asked = options(address, streams=None, rate_rps=500.0, warmup_s=0.1, duration_s=0.2)
        result = result_of(asked, PLAN)
    planned = {name: kind["calls"]["planned"] for name, kind in result["kinds"].items()}
    assert planned == Counter(kinds(50, 150))


def test_each_kind_that_was_answered_has_a_checksum_however_rare_it_is() -> None:
    sent = kinds(0, 100_000)
    once = sent.index("seldom")
    service = FakeService(lambda number: Act.REPLY if number == once or sent[number] == "often" else Act.REFUSE)
    with service.running() as address:
        result = result_of(options(address, connections=1, streams=1), PLAN)
    assert result["kinds"]["seldom"]["checksums"] == {"5": 1}


def test_a_plan_without_a_mix_has_no_kinds() -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        result = result_of(options(address, duration_s=0.05), make_plan(None))
    assert result["kinds"] == {}
    assert result["calls"]["ok"] > 0
