from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sweetspot.v1.workload_pb2 import RunRequest

from services.driver.plan import PlanError, make_plan, read_plan
from services.driver.shard import Shard

YAML = """
steps: [{compute: {rounds: 2000}}, {call: {delay_us: 5000, reply_bytes: 128}}]
payload_bytes: 32
"""
JSON = """{
  "steps": [{"compute": {"rounds": 2000}}, {"call": {"delayUs": 5000, "reply_bytes": 128}}],
  "payload_bytes": 32
}"""


@pytest.mark.parametrize(("name", "text"), [("plan.yaml", YAML), ("plan.json", JSON)])
def test_yaml_and_json_make_the_same_request(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    plan = read_plan(tmp_path / name)
    request = RunRequest.FromString(plan.request)
    assert [step.WhichOneof("kind") for step in request.steps] == ["compute", "call"]
    assert (request.steps[1].call.delay_us, len(request.payload)) == (5000, 32)
    assert plan.described == {
        "steps": [{"compute": {"rounds": 2000}}, {"call": {"delay_us": 5000, "reply_bytes": 128}}],
        "payload_bytes": 32,
    }


def test_an_empty_file_is_an_echo(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("")
    assert read_plan(tmp_path / "plan.yaml").request == b""


def test_calls_take_turns_at_the_keys_and_differ_in_nothing_else() -> None:
    plan = make_plan({"keys": 3, "payload_bytes": 2})
    requests = [RunRequest.FromString(request) for request in islice(plan.requests(Shard()), 5)]
    assert [(request.key, request.payload) for request in requests] == [(key, bytes(2)) for key in (0, 1, 2, 0, 1)]
    assert plan.described == {"keys": 3, "payload_bytes": 2}


def test_shards_that_begin_together_ask_for_the_keys_that_one_driver_would_ask_for() -> None:
    plan = make_plan({"keys": 5})
    dealt = zip(*(plan.requests(Shard(index, 2)) for index in range(2)), strict=True)
    keys = [[RunRequest.FromString(request).key for request in pair] for pair in islice(dealt, 5)]
    assert keys == [[0, 1], [2, 3], [4, 0], [1, 2], [3, 4]]


def test_calls_of_one_key_are_all_the_same() -> None:
    plan = make_plan({"key": 7})
    assert set(islice(plan.requests(Shard()), 3)) == {plan.request}


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
