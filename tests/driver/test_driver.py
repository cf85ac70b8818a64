"""The driver as a user starts it: a process, its output, its exit status and its files."""

import json
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.driver.result import schema
from services.network.address import Address
from tests.driver.fake_service import Act, FakeService
from tests.driver.runs import nobody


class Driver:
    """A folder to run the driver in."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "result.json"
        self.plan = folder / "plan.yaml"
        self.plan.write_text("payload_bytes: 8")

    def command(self, address: Address, *more: str) -> list[str]:
        flags = {"--address": str(address), "--plan": str(self.plan), "--out": str(self.out)}
        flags |= {"--connections": "2", "--streams": "2"}
        return [sys.executable, "-m", "services.driver", *chain.from_iterable(flags.items()), *more]

    def run(self, address: Address, *more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(self.command(address, *more), capture_output=True, text=True, timeout=60, check=False)

    def result(self) -> Any:
        result = json.loads(self.out.read_text())
        jsonschema.validate(result, schema())
        return result


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(tmp_path)


def test_a_result_that_cannot_be_written_is_on_stdout(driver: Driver) -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        done = driver.run(address, "--warmup", "0", "--duration", "0.1", "--out", "/dev/full")
    assert done.returncode == 1
    assert done.stderr == "services.driver: cannot write /dev/full: No space left on device; the result is on stdout\n"
    marks, brace, result = done.stdout.partition("{")
    assert marks == "measuring\nmeasured\nanswered\n"
    jsonschema.validate(json.loads(brace + result), schema())


def test_a_run_prints_its_marks_then_a_table_and_keeps_a_result_that_fits_the_schema(driver: Driver) -> None:
    with FakeService(lambda number: Act.REFUSE if number % 10 == 0 else Act.REPLY).running() as address:
        done = driver.run(address, "--warmup", "0.1", "--duration", "0.3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:3] == ["measuring", "measured", "answered"]
    assert "first RESOURCE_EXHAUSTED: the queue is full" in done.stdout
    result = driver.result()
    calls = result["calls"]
    assert calls["planned"] == calls["ok"] + calls["by_status"]["RESOURCE_EXHAUSTED"]
    assert result["got"]["rate_rps"] == pytest.approx(result["got"]["answered"] / 0.3)
    assert 0 < result["got"]["answered"] <= calls["ok"]
    assert result["plan"] == {"payload_bytes": 8}
    assert [path.name for path in driver.out.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_it_has_and_says_so(driver: Driver, number: signal.Signals) -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        command = driver.command(address, "--warmup", "0", "--duration", "600")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "measuring\n"
            process.send_signal(number)
            said, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
    assert "interrupted" in said
    result = driver.result()
    assert result["interrupted"] is True
    assert result["got"]["duration_s"] < 30


def test_an_address_that_refuses_is_named_in_one_line(driver: Driver) -> None:
    address = nobody()
    done = driver.run(address)
    assert (done.returncode, done.stderr) == (2, f"services.driver: {address}: Connection refused\n")


@pytest.mark.parametrize(
    ("flag", "value", "named"),
    [
        ("--address", "no-such-host.invalid:1", "no-such-host.invalid:1: "),
        ("--plan", "missing.yaml", "missing.yaml: No such file"),
        ("--out", "/missing/result.json", "cannot write /missing/"),
    ],
)
def test_what_a_person_can_put_right_is_named_in_one_line_before_the_run(
    flag: str, value: str, named: str, driver: Driver
) -> None:
    done = driver.run(nobody(), flag, value)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"services.driver: {named}")


def test_a_reader_that_goes_away_does_not_cost_the_result(driver: Driver) -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        command = driver.command(address, "--warmup", "0", "--duration", "0.2")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            errors = process.stderr.read()
    assert (process.returncode, errors) == (0, "")
    assert driver.result()["calls"]["ok"] > 0


def test_spans_of_traced_calls_go_to_the_trace_file(driver: Driver) -> None:
    traces = driver.out.parent / "driver.jsonl"
    with FakeService(lambda _: Act.REPLY).running() as address:
        driver.run(address, "--warmup", "0.1", "--duration", "0.2", "--trace-ratio", "0.1", "--trace-file", str(traces))
    listed = [trace["trace_id"] for trace in driver.result()["traces"]]
    assert listed
    spans = [
        span
        for line in traces.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert {span["name"] for span in spans} == {"sweetspot.v1.Workload/Run"}
    # A call that is traced in the warm-up has a span too, and is not listed.
    measured = {"key": "sweetspot.measured", "value": {"boolValue": True}}
    assert sorted(span["traceId"] for span in spans if measured in span["attributes"]) == sorted(listed)


def test_shards_meet_and_together_are_one_run(tmp_path: Path) -> None:
    flags = ["--streams", "1", "--warmup", "0.1", "--duration", "0.3", "--trace-ratio", "0.5"]
    barrier = str(nobody())
    shards = [tmp_path / "0", tmp_path / "1"]
    with FakeService(lambda _: Act.REPLY).running() as address:
        started = []
        for index, folder in enumerate(shards):
            folder.mkdir()
            command = Driver(folder).command(address, "--shard", f"{index}/2", "--barrier", barrier, *flags)
            started.append(subprocess.Popen([*command, "--trace-file", str(tmp_path / "spans")]))
        assert [process.wait(60) for process in started] == [0, 0]
    whole = tmp_path / "whole.json"
    parts = [str(folder / "result.json") for folder in shards]
    merge = [sys.executable, "-m", "services.driver.merge", "--out", str(whole), *parts]
    said = subprocess.run(merge, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.startswith("2 shards, started within ")
    result = json.loads(whole.read_text())
    jsonschema.validate(result, schema())
    assert [(shard["index"], shard["connections"]) for shard in result["shards"]] == [(0, 1), (1, 1)]
    assert result["spans"]["made"] == result["spans"]["exported"] > result["calls"]["traced"] > 0
    assert result["calls"]["traced"] == len(result["traces"])


def test_a_shard_that_stays_alone_says_whom_it_waited_for(driver: Driver) -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        alone = ["--shard", "0/2", "--barrier", str(nobody()), "--barrier-timeout", "0.3"]
        done = driver.run(address, *alone)
    assert (done.returncode, done.stderr) == (2, "services.driver: shard 1 of 2 did not connect within 0.3 s\n")
