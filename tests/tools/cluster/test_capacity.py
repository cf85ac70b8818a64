"""A rate that follows from the capacity of the arm, where drivers share the load: one closed loop, and one number."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving import serving
from tests.tools.cluster.runs import keep_a_part, only, parts, run
from tests.tools.cluster.shards import ARGUMENTS, ENVIRON, lead_to, stored_parts
from tests.tools.fake_cluster import FakeCluster
from tools import experiment
from tools.address import Address
from tools.cluster import job, shard
from tools.cluster.api import ClusterError
from tools.cluster.capacity import total
from tools.results import read_trials
from tools.trial_specs import only as only_trial

HALF = "title: Half of it?\nconnections: [2]\nrate_of_capacity: 0.5\nmodels: [reactor]\nplan: {}\nrounds: 1\n"
TIMES = "warmup_s: 0.1\nduration_s: 0.3\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_all_shards_go_on_with_the_sum_of_what_they_have() -> None:
    at = Address("127.0.0.1", free_port())
    with ThreadPoolExecutor(3) as threads:
        found = [threads.submit(total, own, number, 3, at, 10) for number, own in enumerate((0.1, 20.0, 300.0))]
        assert [each.result() for each in found] == [0.1 + 20.0 + 300.0] * 3


def test_who_is_no_shard_is_not_counted() -> None:
    at = Address("127.0.0.1", free_port())
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(total, 1.0, 0, 2, at, 10)
        stranger = until_open(at)
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.recv(1) == b""
        assert total(2.0, 1, 2, at, 10) == found.result() == 3.0
        stranger.close()


def until_open(at: Address) -> socket.socket:
    for _ in range(1000):
        try:
            return socket.create_connection((at.host, at.port))
        except ConnectionRefusedError:
            threading.Event().wait(0.01)
    raise AssertionError(at)


@pytest.mark.parametrize("number", [0, 1])
def test_a_shard_that_does_not_come_is_waited_for_in_vain(number: int) -> None:
    with pytest.raises(ClusterError, match="the capacity of all 2 shards is unknown: "):
        total(1.0, number, 2, Address("127.0.0.1", free_port()), 0.05)


def test_of_an_arm_that_answers_nothing_no_multiple_is_a_rate() -> None:
    with pytest.raises(ClusterError, match="it answered no call in a closed loop"):
        total(0.0, 0, 1, Address("127.0.0.1", 1), 0.05)


def test_its_job_has_the_time_for_two_loads() -> None:
    asked = experiment.parse(HALF, "mine")
    place = job.LoadSettings(
        release="r", first="r", run="mine", pod={"metadata": {"labels": {}}, "spec": {"containers": [{}]}}
    )
    once = job.STARTING_S + asked.warmup_s + asked.duration_s + asked.load.timeout_s + job.ENDING_S
    twice = once + asked.warmup_s + asked.duration_s + asked.load.timeout_s
    deadline_s = job.manifest(place, asked, only_trial(asked))["spec"]["activeDeadlineSeconds"]
    assert deadline_s == round(twice)


def test_the_trial_has_the_capacity_that_its_rate_is_a_multiple_of(cluster: FakeCluster, tmp_path: Path) -> None:
    part = {**parts(1)[0], "load": {"connections": 3, "rate_of_capacity": 0.5}, "capacity_rps": 1234.5}
    cluster.on_job = lambda cluster, made: keep_a_part(cluster, made, part)
    assert run(tmp_path, more="rate_of_capacity: 0.5\n") == 0
    (found,) = read_trials(only(tmp_path)).trials
    assert found.capacity_rps == 1234.5


@pytest.mark.usefixtures("quiet")
def test_a_shard_measures_the_capacity_and_then_sends_its_share_of_it(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("reactor") as service:
        lead_to(cluster, service.address, service.control, monkeypatch)
        assert shard.main(ARGUMENTS, {**ENVIRON, "EXPERIMENT": HALF + TIMES}) == 0
    (part,) = stored_parts(cluster)
    assert part["void"] == []
    assert part["capacity_rps"] > 100
    assert part["result"]["asked"]["rate_rps"] == 0.5 * part["capacity_rps"]
    assert part["result"]["asked"]["loop"] == "open"
    assert f"capacity: {part['capacity_rps']:.1f} calls/s" in capsys.readouterr().out
