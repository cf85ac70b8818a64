from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sweetspot.v1.workload_pb2 import RunRequest

from services.driver.plan import Plan, PlanError, make_plan, read_plan
from services.driver.shard import Shard

YAML = """
steps: [{compute: {rounds: 2000}}, {call: {delay_us: 5000, reply_bytes: 128}}]
payload_bytes: 32
"""
JSON = """{
  "steps": [{"compute": {"rounds": 2000}}, {"call": {"delayUs": 5000, "reply_bytes": 128}}],
  "payload_bytes": 32
}"""


def asked(plan: Plan, calls: int, *, shard: Shard = Shard(), clients: int = 1) -> list[RunRequest]:  # noqa: B008  (frozen)
    return [RunRequest.FromString(request.serialized) for request in islice(plan.requests(1, shard, clients), calls)]


@pytest.mark.parametrize(("name", "text"), [("plan.yaml", YAML), ("plan.json", JSON)])
def test_yaml_and_json_make_the_same_request(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    plan = read_plan(tmp_path / name)
    request = asked(plan, 1)[0]
    assert [step.WhichOneof("kind") for step in request.steps] == ["compute", "call"]
    assert (request.steps[1].call.delay_us, len(request.payload)) == (5000, 32)
    assert plan.described == {
        "steps": [{"compute": {"rounds": 2000}}, {"call": {"delay_us": 5000, "reply_bytes": 128}}],
        "payload_bytes": 32,
    }


def test_an_empty_file_is_an_echo(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("")
    assert asked(read_plan(tmp_path / "plan.yaml"), 1) == [RunRequest()]


def test_calls_take_turns_at_the_keys_and_differ_in_nothing_else() -> None:
    plan = make_plan({"keys": 3, "payload_bytes": 2})
    assert [(request.key, request.payload) for request in asked(plan, 5)] == [
        (key, bytes(2)) for key in (0, 1, 2, 0, 1)
    ]
    assert plan.described == {"keys": 3, "payload_bytes": 2}


def test_shards_that_begin_together_ask_for_the_keys_that_one_driver_would_ask_for() -> None:
    plan = make_plan({"keys": 5})
    keys = [[request.key for request in asked(plan, 5, shard=Shard(index, 2), clients=4)] for index in range(2)]
    assert keys == [[0, 2, 4, 1, 3], [1, 3, 0, 2, 4]]


def test_calls_of_one_key_are_all_the_same() -> None:
    plan = make_plan({"key": 7})
    assert asked(plan, 3) == [RunRequest(key=7)] * 3


MIX = {"mix": {"innocent": {"share": 3, "keys": 2, "payload_bytes": 8}, "blocker": {"share": 1, "key": 9}}}


def test_a_mix_describes_its_kinds_with_their_shares_and_requests_each_as_its_own_plan() -> None:
    plan = make_plan(MIX)
    assert plan.described == {
        "mix": {
            "innocent": {"share": 3, "payload_bytes": 8, "keys": 2},
            "blocker": {"share": 1, "key": "9"},
        }
    }
    drawn = list(islice(plan.requests(1, Shard(), 1), 100))
    by_kind = {name: [request for request in drawn if request.kind == name] for name in plan.mix}
    innocents = [RunRequest.FromString(request.serialized) for request in by_kind["innocent"]]
    assert [request.key for request in innocents] == [turn % 2 for turn in range(len(innocents))]
    assert {request.serialized for request in by_kind["blocker"]} == {RunRequest(key=9).SerializeToString()}


def test_kinds_are_drawn_by_their_weights_from_the_seed_alone() -> None:
    def drawn(seed: int) -> list[str]:
        return [request.kind for request in islice(make_plan(MIX).requests(seed, Shard(), 1), 10_000)]

    assert drawn(1) == drawn(1) != drawn(2)
    # 2,500 expected, with a standard deviation of 43.
    assert drawn(1).count("blocker") == pytest.approx(2_500, abs=200)


def test_shards_deal_the_one_sequence_of_kinds_and_keys() -> None:
    plan = make_plan(MIX)
    whole = list(islice(plan.requests(1, Shard(), 3), 900))
    first, second = (plan.requests(1, Shard(index, 2), 3) for index in range(2))
    # Of three clients the first shard has the first and the third one.
    assert [next(second if number % 3 == 1 else first) for number in range(900)] == whole


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ({"steps": [{"compute": {"rounds": -1}}]}, "rounds"),
        ({"steps": [{"call": {"delay_us": 2**40}}]}, "delay_us"),
        ({"steps": [{"compute": {"rounds": "many"}}]}, "rounds"),
        ({"steps": [{"compute": {"engine": "STEAM"}}]}, "engine"),
        ({"steps": [{"think": {}}]}, "think"),
        ({"stepz": []}, "stepz"),
        ({"steps": [{"compute": {}, "sleep": {}}]}, "steps[0]"),
        ({"steps": 3}, "steps"),
        ({"payload_bytes": -1}, "payload_bytes"),
        ({"payload_bytes": 2**40}, "payload_bytes"),
        ({"payload_bytes": True}, "payload_bytes"),
        ({"payload_bytes": 3, "payload": "AAAA"}, "payload_bytes"),
        ({"keys": 0}, "keys"),
        ({"keys": 65_537}, "keys"),
        ({"keys": 3, "key": 1}, "keys"),
        ({1: 2}, "mapping"),
        ([1], "mapping"),
        ("compute", "mapping"),
        ({"mix": {}}, "mix:"),
        ({"mix": None}, "mix:"),
        ({"mix": [{"share": 1}]}, "mix:"),
        ({"mix": {"a": {"share": 1}}, "steps": []}, "mix and steps"),
        ({"mix": {"Echo": {"share": 1}}}, "'Echo'"),
        ({"mix": {"a-b": {"share": 1}}}, "'a-b'"),
        ({"mix": {1: {"share": 1}}}, "1 is not a valid name"),
        ({"mix": {"a": None}}, "mix.a:"),
        ({"mix": {"a": {}}}, "mix.a.share: missing"),
        ({"mix": {"a": {"share": 0}}}, "mix.a.share: 0"),
        ({"mix": {"a": {"share": -1}}}, "mix.a.share: -1"),
        ({"mix": {"a": {"share": True}}}, "mix.a.share"),
        ({"mix": {"a": {"share": "1"}}}, "mix.a.share"),
        ({"mix": {"a": {"share": float("nan")}}}, "mix.a.share"),
        ({"mix": {"a": {"share": float("inf")}}}, "mix.a.share"),
        ({"mix": {"a": {"share": int("9" * 400)}}}, "mix.a.share: a number too large"),
        ({"mix": {"a": {"share": 1e308}, "b": {"share": 1e308}}}, "mix.a.share: 1e+308"),
        ({"keys": 1 << 20_000}, "keys: a number too large"),
        ({"key": date(2026, 1, 1)}, "date"),
        ({"mix": {"a": {"share": 1, "stepz": []}}}, "stepz"),
        ({"mix": {"a": {"share": 1, "keys": 0}}}, "mix.a: keys"),
        ({"mix": {"a": {"share": 1, "mix": {}}}}, "mix.a: "),
    ],
)
def test_what_a_plan_cannot_say_is_refused_in_one_line_that_names_it(written: Any, named: str) -> None:
    with pytest.raises(PlanError) as refusal:
        make_plan(written)
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"steps: [", b"\xff\xfe\xfa", b"!!python/object:os.system {}"])
def test_a_file_that_is_neither_yaml_nor_json_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.yaml").write_bytes(content)
    with pytest.raises(PlanError, match=r"plan\.yaml: .+") as refusal:
        read_plan(tmp_path / "plan.yaml")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("key: 1\na: 2026-13-45", "line 2: 'a': '2026-13-45' is no timestamp; correct it, or quote it if it is text"),
        ("x: !!int a", "line 1: 'x': 'a' is no int; correct it, or quote it if it is text"),
        ("x: !!int ''", "line 1: 'x': '' is no int; correct it, or quote it if it is text"),
        ("mix:\n  a: {share: !!float b}", "line 2: 'share': 'b' is no float; correct it, or quote it if it is text"),
        ("steps: [2026-13-45]", "a value does not match its tag: month must be in 1..12"),
        ("a: " + "[" * 5000, "nested too deeply"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_refused_with_file_line_and_key(
    tmp_path: Path, content: str, why: str
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(content)
    with pytest.raises(PlanError) as refusal:
        read_plan(path)
    assert str(refusal.value) == f"{path}: {why}"
