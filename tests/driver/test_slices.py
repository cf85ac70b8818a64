"""Slices: the results of each of them and of their sum, and how the process that makes them begins and ends."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.driver.result import schema
from services.driver.slices import OpenRuns
from services.network.address import Address
from tests.driver.fake_service import Act, FakeService
from tests.driver.runs import nobody

SHORT = {"warmup_s": 0.02, "duration_s": 0.1}
ENDS = ("ok", "failed", "timed_out", "not_sent", "unfinished")


@pytest.fixture
def plan(tmp_path: Path) -> str:
    path = tmp_path / "plan.yaml"
    path.write_text("payload_bytes: 8")
    return str(path)


def closed_loop(address: Address, plan: str, *more: str) -> list[str]:
    flags = ["--address", str(address), "--plan", plan, "--connections", "2", *more]
    return flags if "--rate" in more else [*flags, "--streams", "2"]


def ask(slices: OpenRuns, do: str, name: str = "a", **more: object) -> dict[str, Any]:
    answer = slices.answer(json.dumps({"do": do, "name": name, **more}))
    assert "refused" not in answer, answer
    return answer


def made(slices: OpenRuns, name: str = "a", **more: object) -> dict[str, Any]:
    entry: dict[str, Any] = ask(slices, "slice", name, **(SHORT | more))["slice"]
    return entry


@pytest.mark.parametrize("loop", [[], ["--rate", "1500", "--arrival", "poisson"]])
def test_every_call_is_accounted_for_in_each_slice_and_in_their_sum(loop: list[str], plan: str) -> None:
    draw = random.Random(7)
    acts = [Act.REPLY, Act.REFUSE, Act.RESET, Act.IGNORE, Act.DROP]
    service = FakeService(lambda _: draw.choices(acts, (60, 10, 5, 2, 1))[0])
    slices = OpenRuns()
    with service.running() as address:
        ask(slices, "open", arguments=closed_loop(address, plan, "--timeout", "0.2", *loop))
        entries = [made(slices, seed=seed) for seed in range(4)]
        result = ask(slices, "close")["result"]
    jsonschema.validate(result, schema())
    assert result["slices"] == entries
    for entry in entries:
        assert entry["planned"] == sum(entry[end] for end in ENDS)
        assert entry["ok"] == entry["latency_ns"]["count"] == entry["lateness_ns"]["count"]
        assert entry["answered"] == sum(entry["answered_by_tenth"]) <= entry["counted"]
        marks = ("begin", "started", "ended", "drained")
        times = [entry[f"{mark}_monotonic_ns"] for mark in marks]
        assert times == sorted(times)
    calls = result["calls"] | {"failed": sum(result["calls"]["by_status"].values())}
    for part, keys in ((calls, ("planned", *ENDS)), (result["got"], ("answered", "counted"))):
        assert {key: part[key] for key in keys} == {key: sum(entry[key] for entry in entries) for key in keys}
    assert result["latency_ns"]["count"] == sum(pod["answered"] for pod in result["pods"]) == calls["ok"] > 0
    assert calls["failed"] > 0
    assert result["got"]["duration_s"] == pytest.approx(0.4)


def test_each_slice_has_the_kinds_of_its_own_calls(tmp_path: Path) -> None:
    mix = tmp_path / "mix.yaml"
    mix.write_text("mix: {often: {share: 3}, seldom: {share: 1}}")
    slices = OpenRuns()
    with FakeService(lambda _: Act.REPLY).running() as address:
        ask(slices, "open", arguments=closed_loop(address, str(mix), "--rate", "400", "--method", "RunStream"))
        entries = [made(slices) for _ in range(3)]
        result = ask(slices, "close")["result"]
    jsonschema.validate(result, schema())
    for entry in entries:
        assert sum(kind["latency_ns"]["count"] for kind in entry["kinds"].values()) == entry["ok"] > 0
        assert entry["stream"]["messages"] == 3 * entry["ok"]
    for name, kind in result["kinds"].items():
        assert kind["calls"]["planned"] == sum(entry["kinds"][name]["calls"]["planned"] for entry in entries)


def test_only_the_service_whose_slice_it_is_gets_calls_and_all_it_answered_are_counted(plan: str) -> None:
    services = {name: FakeService(lambda _: Act.REPLY) for name in "abc"}
    slices = OpenRuns()
    counted = dict.fromkeys(services, 0)
    with ExitStack() as stack:
        for name, service in services.items():
            address = stack.enter_context(service.running())
            opened = ask(slices, "open", name, arguments=closed_loop(address, plan))
            assert opened == {"opened": name, "connections": 2}
        for name in "abccba":
            entry = made(slices, name)
            counted[name] += entry["counted"]
            assert (entry["in_flight_start"], entry["in_flight_end"]) == (4, 4)
            assert {name: service.calls for name, service in services.items()} == counted


def test_a_slice_begins_with_nothing_left_of_the_one_before(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.driver.load.MAX_GRACE_S", 0.02)
    answers = False
    service = FakeService(lambda _: Act.REPLY if answers else Act.IGNORE)
    slices = OpenRuns()
    with service.running() as address:
        ask(slices, "open", arguments=closed_loop(address, plan, "--rate", "200", "--timeout", "60"))
        entry = made(slices, warmup_s=0)
        assert (entry["planned"], entry["unfinished"], entry["counted"]) == (20, 20, 0)
        answers = True
        entry = made(slices, warmup_s=0)
        assert (entry["planned"], entry["ok"], entry["counted"]) == (20, 20, 20)
    assert service.calls == 40


def test_clients_have_their_turn_over_slices_and_each_is_counted_once(plan: str) -> None:
    slices = OpenRuns()
    with FakeService(lambda _: Act.REPLY).running() as address:
        arguments = closed_loop(address, plan, "--connections", "30", "--rate", "100")
        ask(slices, "open", arguments=arguments)
        served = [made(slices, warmup_s=0)["clients_served"] for _ in range(4)]
        found = ask(slices, "close")["result"]["clients"]
    assert served == [10] * 4
    assert {key: found[key] for key in ("asked", "served", "answered", "answered_least", "answered_most")} == {
        "asked": 30,
        "served": 30,
        "answered": 40,
        "answered_least": 1,
        "answered_most": 2,
    }


def test_a_client_that_is_lost_is_unserved_in_each_slice_from_then_on(plan: str) -> None:
    loses = False

    def lose_two(_number: int) -> Act:
        return Act.DROP if loses and service.connections > 2 else Act.REPLY

    service = FakeService(lose_two)
    slices = OpenRuns()
    with service.running() as address:
        ask(slices, "open", arguments=closed_loop(address, plan, "--connections", "4"))
        entries = [made(slices), made(slices)]
        loses, service.room = True, 2
        entries += [made(slices), made(slices)]
        found = ask(slices, "close")["result"]["clients"]
    assert [entry["clients_served"] for entry in entries] == [4, 4, 2, 2]
    assert [entry["not_sent"] for entry in entries] == [0, 0, 4, 4]
    # The mean of 4, 4, 2 and 2.
    assert (found["asked"], found["served"], found["unserved_at_start"]) == (4, 3, 0)


def test_a_connection_that_ended_between_slices_is_open_again_when_the_next_begins(plan: str) -> None:
    service = FakeService(lambda _: Act.REPLY)
    slices = OpenRuns()
    with service.running() as address:
        ask(slices, "open", arguments=closed_loop(address, plan))
        made(slices)
        service.hang_up()
        entry = made(slices, warmup_s=0)
        assert (entry["failed"], entry["in_flight_end"]) == (0, 4)
        result = ask(slices, "close")["result"]
    assert (result["got"]["connections_lost"], result["got"]["connections"]) == (2, 2)


def test_a_slice_has_the_rate_and_the_duration_that_it_is_given_or_those_it_was_opened_with(plan: str) -> None:
    slices = OpenRuns()
    with FakeService(lambda _: Act.REPLY).running() as address:
        ask(slices, "open", arguments=closed_loop(address, plan, "--rate", "100", "--duration", "0.2", "--warmup", "0"))
        entries = [
            ask(slices, "slice", **given)["slice"]
            for given in ({}, {"rate_rps": 300}, {"rate_rps": None, "duration_s": 0.1})
        ]
    assert [entry["planned"] for entry in entries] == [20, 60, 10]
    assert [entry["clients_served"] for entry in entries] == [2, 2, 2]


def test_slices_go_on_with_the_schedule(plan: str) -> None:
    slices = OpenRuns()
    with FakeService(lambda _: Act.REPLY).running() as address:
        flags = [
            "--address",
            str(address),
            "--plan",
            plan,
            "--connections",
            "2",
            "--schedule",
            "steps:100@0.2s,400@0.2s",
        ]
        ask(slices, "open", arguments=flags)
        entries = [made(slices, warmup_s=0, duration_s=0.1) for _ in range(6)]
    assert [entry["planned"] for entry in entries] == [10, 10, 40, 40, 10, 10]


def test_an_open_loop_is_loaded_whatever_the_number_of_open_descriptors(plan: str) -> None:
    many = 1100
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    slices = OpenRuns()
    taken = [os.dup(0) for _ in range(many)]
    try:
        with FakeService(lambda _: Act.REPLY).running() as address:
            for _ in range(2):
                ask(slices, "open", arguments=closed_loop(address, plan, "--rate", "200"))
                assert made(slices)["ok"] == 20
                ask(slices, "close")
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_is_closed_before_a_slice_has_no_result_and_its_name_is_free_again(plan: str) -> None:
    slices = OpenRuns()
    with FakeService(lambda _: Act.REPLY).running() as address:
        for _ in range(2):
            ask(slices, "open", arguments=closed_loop(address, plan))
            assert ask(slices, "close")["result"] is None


def test_flags_and_plan_are_checked_without_a_connection(plan: str) -> None:
    flags = closed_loop(nobody(), plan)
    assert ask(OpenRuns(), "check", arguments=flags) == {"checked": "a"}
    lacking = {"do": "check", "name": "a", "arguments": [*flags, "--plan=/nowhere.yaml"]}
    assert OpenRuns().answer(json.dumps(lacking))["why"].startswith("/nowhere.yaml: ")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not a line of JSON"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff\xfe\xfa\n", "not a line of JSON"),
        (b'{"do": "close", "name": "\xff"}', "not a line of JSON"),
        ("[]", "do: None is not one of open, slice, close"),
        ('{"do": "pause", "name": "a"}', "do: 'pause' is not one of"),
        ('{"do": ["open"], "name": "a"}', "do: ['open'] is not one of"),
        ('{"do": "close"}', "name: None is not a string"),
        ('{"do": "close", "name": "b"}', "name: 'b' is not open"),
        ('{"do": "close", "name": "a", "force": 1}', "force: not a key of close"),
        ('{"do": "open", "name": "a", "arguments": []}', "name: 'a' is open already"),
        ('{"do": "open", "name": "b"}', "arguments: not a list of strings"),
        (r'{"do": "open", "name": "b", "arguments": ["--plan", "a\u0000b"]}', "no path can have"),
        (r'{"do": "open", "name": "b", "arguments": ["--plan", "a\ud800b"]}', "no path can have"),
        ('{"do": "open", "name": "b", "arguments": ["--help"]}', "--help"),
        ('{"do": "open", "name": "b", "arguments": ["--address", "x"]}', "argument --address"),
        ('{"do": "slice", "name": "a", "duration_s": 0}', "argument --duration: 0 is not within"),
        ('{"do": "slice", "name": "a", "seed": "x"}', "argument --seed"),
        ('{"do": "slice", "name": "a", "rate_rps": 5}', "argument --rate: not allowed with argument --streams"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_the_next_command_works(
    line: str | bytes, why: str, plan: str
) -> None:
    slices = OpenRuns()
    with FakeService(lambda _: Act.REPLY).running() as address:
        ask(slices, "open", arguments=closed_loop(address, plan))
        answer = slices.answer(line)
        assert why in answer["why"]
        assert "\n" not in answer["why"]
        assert made(slices)["ok"] > 0


def test_an_address_that_refuses_and_a_plan_that_is_not_there_leave_room_for_another(plan: str) -> None:
    slices = OpenRuns()
    for address, path, why in ((nobody(), plan, "Connection refused"), (nobody(), "/missing", "No such file")):
        answer = slices.answer(json.dumps({"do": "open", "name": "a", "arguments": closed_loop(address, path)}))
        assert answer["refused"] == "a"
        assert why in answer["why"]
    with FakeService(lambda _: Act.REPLY).running() as address:
        ask(slices, "open", arguments=closed_loop(address, plan))


def start() -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "services.driver.slices"]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def test_the_process_answers_each_line_with_one_and_ends_with_its_input(plan: str) -> None:
    with FakeService(lambda _: Act.REPLY).running() as address, start() as process:
        commands: list[dict[str, Any]] = [
            {"do": "open", "name": "a", "arguments": closed_loop(address, plan)},
            {"do": "slice", "name": "a", **SHORT},
            {"do": "close", "name": "a"},
        ]
        said, errors = process.communicate("".join(json.dumps(command) + "\n" for command in commands), 30)
    assert (process.returncode, errors) == (0, "")
    assert [next(iter(json.loads(line))) for line in said.splitlines()] == ["opened", "sliced", "closed"]


def test_a_line_that_is_not_utf_8_is_refused_and_the_process_goes_on() -> None:
    command = [sys.executable, "-m", "services.driver.slices"]
    done = subprocess.run(command, input=b"\xff\n{}\n", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    whys = [json.loads(line)["why"] for line in done.stdout.splitlines()]
    assert ["not a line of JSON" in whys[0], "do: None" in whys[1]] == [True, True]


def test_a_signal_ends_the_process_in_the_middle_of_a_slice_without_a_traceback(plan: str) -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address, start() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for command in (
            {"do": "open", "name": "a", "arguments": closed_loop(address, plan)},
            {"do": "slice", "name": "a", "warmup_s": 0, "duration_s": 600},
        ):
            process.stdin.write(json.dumps(command) + "\n")
        process.stdout.readline()
        process.terminate()
        said, errors = process.communicate(timeout=30)
    assert (process.returncode, said, errors) == (-signal.SIGTERM, "", "")
