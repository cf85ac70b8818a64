"""`--processes`: one command whose load several processes make, and what is left when one of them is lost."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.driver import checkpoint, processes
from services.driver.load_run import LoadRun
from services.driver.merge import VoidRun
from services.driver.shard import Shard
from tests.driver.fake_service import Act, FakeService
from tests.driver.runs import nobody, options
from tests.driver.test_driver import Driver

FOLDER = {"plan.yaml", "result.json"}


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(tmp_path)


def until(true: Callable[[], object]) -> None:
    """Waits for it to be true."""
    deadline_s = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@contextmanager
def measuring(driver: Driver) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """A run of two processes in the middle of a long window, and the process ids of its shards."""
    with FakeService(lambda _: Act.REPLY).running() as address:
        command = driver.command(address, "--processes", "2", "--warmup", "0", "--duration", "600")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "measuring\n"
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            yield process, [int(pid) for pid in children.split()]


def test_the_load_of_several_processes_is_that_of_one(driver: Driver) -> None:
    flags = ["--processes", "3", "--connections", "4", "--warmup", "0", "--duration", "0.4", "--rate", "500"]
    with FakeService(lambda number: Act.REFUSE if number % 10 == 0 else Act.REPLY).running() as address:
        command = driver.command(address, *flags)
        at = command.index("--streams")
        done = subprocess.run(command[:at] + command[at + 2 :], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:3] == ["measuring", "measured", "answered"]
    result = driver.result()
    assert (result["calls"]["planned"], result["got"]["connections"]) == (200, 4)
    assert result["calls"]["ok"] == result["latency_ns"]["count"] == 180
    assert [shard["connections"] for shard in result["shards"]] == [2, 1, 1]
    assert len({shard["begin_monotonic_ns"] for shard in result["shards"]}) == 1
    assert {path.name for path in driver.out.parent.iterdir()} == FOLDER


def test_a_shard_that_is_killed_makes_the_run_void_and_leaves_what_it_measured(driver: Driver) -> None:
    path = driver.out.with_name("result.json.shard-1")
    with measuring(driver) as (process, shards):
        until(lambda: checkpoint.read(path))
        os.kill(shards[1], signal.SIGKILL)
        said, errors = process.communicate(timeout=30)
    kept = sum(map(len, checkpoint.read(path).values()))
    assert kept > 0
    assert (process.returncode, said) == (2, "")
    assert errors == (
        f"services.driver: shard 1 of 2 was killed by signal 9: the run is void; {kept:,} latencies of the shard are in"
        f" {path}\n"
    )
    assert not driver.out.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in shards)


def test_an_interrupted_run_has_the_result_of_all_its_processes_until_then(driver: Driver) -> None:
    with measuring(driver) as (process, _):
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
    assert "interrupted" in said
    result = driver.result()
    assert result["interrupted"] is True
    assert len(result["shards"]) == 2
    assert {path.name for path in driver.out.parent.iterdir()} == FOLDER


def test_no_shard_outlives_a_command_that_is_killed(driver: Driver) -> None:
    with measuring(driver) as (process, shards):
        process.kill()
        process.wait()
        until(lambda: not any(running(pid) for pid in shards))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


FORKS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@FORKS
def test_a_signal_that_comes_before_a_shard_can_stop_waits_until_it_can(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped_early(*given: Any, **more: Any) -> LoadRun:
        os.kill(os.getpid(), signal.SIGTERM)
        return LoadRun(*given, **more)

    monkeypatch.setattr(processes, "LoadRun", stopped_early)
    plan = driver.out.with_name("plan.yaml")
    with FakeService(lambda _: Act.REPLY).running() as address:
        made = processes._ShardProcess(options(address, plan=plan, out=driver.out, duration_s=600.0))
        try:
            (result,) = processes._gather([made], print, 60.0)
        finally:
            made.end(retain=False)
    assert result["interrupted"] is True


def shards_that(end: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Has each shard end as a function does, instead of making its load."""

    def make(*_: object) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        end()

    monkeypatch.setattr(processes, "_make", make)


@contextmanager
def shard(tmp_path: Path) -> Iterator[processes._ShardProcess]:
    made = processes._ShardProcess(options(nobody(), processes=2, shard=Shard(1, 2), out=tmp_path / "result.json"))
    try:
        yield made
    finally:
        made.end(retain=False)


@FORKS
def test_a_shard_that_is_ended_by_the_stop_of_its_own_command_is_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards_that(signal.pause, monkeypatch)
    with shard(tmp_path) as made:
        made.stop()
        with pytest.raises(processes.RunInterrupted, match="shard 1 of 2 was stopped"):
            made.messages()


@FORKS
def test_a_shard_that_is_gone_before_it_is_to_begin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards_that(lambda: os._exit(3), monkeypatch)
    with shard(tmp_path) as made:
        os.waitid(os.P_PID, made._pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(VoidRun, match="shard 1 of 2 ended with status 3"):
            made.begin(0)


@FORKS
def test_a_shard_that_resets_its_channel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards_that(signal.pause, monkeypatch)
    with shard(tmp_path) as made:
        made.begin(0)  # what it has not read when it ends resets the channel
        os.kill(made._pid, signal.SIGKILL)
        with pytest.raises(VoidRun, match="shard 1 of 2 was killed by signal 9"):
            made.messages()


@FORKS
def test_shards_that_are_silent_for_too_long_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards_that(signal.pause, monkeypatch)
    with shard(tmp_path) as made, pytest.raises(VoidRun, match="shard 1 of 2 sent nothing"):
        processes._gather([made], print, 0.05)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ([], "Connection refused"),
        (["--plan", "missing.yaml"], "missing.yaml: No such file"),
        (["--processes", "3"], "3 need at least as many --connections, not 2"),
        (["--barrier", "h:1"], "argument --processes"),
    ],
)
def test_what_a_person_can_put_right_is_one_line_and_leaves_no_file(flags: list[str], why: str, driver: Driver) -> None:
    done = driver.run(nobody(), "--processes", "2", *flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert why in done.stderr
    assert {path.name for path in driver.out.parent.iterdir()} == {"plan.yaml"}
