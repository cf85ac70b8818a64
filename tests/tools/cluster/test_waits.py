"""What a load in a cluster waits for, and how that ends: each is one line with what to do."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tools.cluster.runs import MINE, UNHEARD, cluster_setup, only, run, succeed
from tests.tools.fake_cluster import NAMESPACE, OURS, FakeCluster, Object, container
from tools import cli, experiment
from tools.cluster import trial
from tools.trial_specs import only as only_trial


def waiting(state: Object) -> Callable[[FakeCluster, Object], None]:
    def happen(cluster: FakeCluster, made: Object) -> None:
        cluster.put_load(made, "load-0", **{"phase": "Pending", "conditions": [], **state})

    return happen


NO_ROOM = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 Insufficient cpu."}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            {"conditions": [NO_ROOM]},
            ["pod load-0 is Pending: 0/2 nodes", "Insufficient cpu", "kubectl describe pod load-0"],
        ),
        (
            {"containerStatuses": [container(waiting={"reason": "ErrImagePull"})]},
            [
                "image sweetspot/driver:1 is not available (ErrImagePull)",
                "try: make deploy RELEASE=sweetspot NAMESPACE=lab with the values of: helm get values sweetspot -n lab",
            ],
        ),
        (
            {
                "containerStatuses": [
                    container(waiting={"reason": "CreateContainerConfigError", "message": "no secret"})
                ]
            },
            ["CreateContainerConfigError: no secret"],
        ),
        ({"startTime": None}, [UNHEARD]),
    ],
)
def test_a_load_that_cannot_start_is_told_and_its_job_removed(
    state: Object, words: list[str], cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.on_job = waiting(state)
    assert run(tmp_path) == 1
    said = capsys.readouterr().out
    assert [word for word in words if word not in said] == []
    assert not cluster.objects["jobs"]


QUOTA = (
    'pods "load-1" is forbidden: exceeded quota: small, requested: limits.cpu={0},requests.cpu={0}, '
    "used: limits.cpu=1,requests.cpu=1, limited: limits.cpu=2,requests.cpu=1"
)


@pytest.mark.parametrize("started", [0, 1])
@pytest.mark.parametrize(("cpu", "refused_s"), [("500m", 0.1), ("1500m", 600)], ids=["lasts", "can never pass"])
def test_a_load_that_a_quota_goes_on_refusing_fails_with_its_reason(
    *,
    cpu: str,
    refused_s: float,
    started: int,
    cluster: FakeCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(cluster: FakeCluster, made: Object) -> None:
        for number in range(started):
            cluster.put_load(made, f"load-{number}")
        cluster.refuse_pods(made, QUOTA.format(cpu))

    monkeypatch.setattr(trial, "PENDING_S", 600)
    monkeypatch.setattr(trial, "REFUSED_S", refused_s)
    cluster.on_job = refuse
    assert run(tmp_path, "--shards", "2") == 1
    said = capsys.readouterr().out
    assert f"gets no pod: {QUOTA.format(cpu)}; request less (--driver-cpu, --driver-memory, --shards)" in said
    assert "kubectl describe resourcequota,limitrange -n lab" in said
    assert not cluster.objects["jobs"]


def test_a_load_that_a_quota_refuses_until_another_pod_has_gone_is_measured(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event stays for an hour."""
    told: list[str] = []

    def make_room(why: str) -> None:
        told.append(why)
        (job_,) = cluster.objects["jobs"].values()
        succeed(cluster, job_)

    cluster.on_job = lambda cluster, made: cluster.refuse_pods(made, QUOTA.format("500m"))
    asked = experiment.parse(MINE.format(models="reactor", connections="3", rounds=1, more=""), "mine")
    assert trial.measure(cluster_setup(make_room), asked, only_trial(asked)).result["calls"]["ok"]
    (why,) = told
    assert "gets no pod: pods" in why


def test_a_service_whose_pods_a_quota_refuses_is_told_with_its_reason(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        refused = {"type": "ReplicaFailure", "status": "True", "message": QUOTA.format("500m")}
        cluster.objects["deployments"]["sweetspot-reactor"]["status"] = {"conditions": [refused]}
        cluster.hold_pods = True

    cluster.on_delete = refuse
    assert run(tmp_path) == 1
    said = capsys.readouterr().out
    assert f"failed: deployment sweetspot-reactor gets no pod: {QUOTA.format('500m')}; " in said
    upgrade = "helm upgrade sweetspot helm/sweetspot -n lab --reset-then-reuse-values --set models.reactor.cpu="
    assert f"as {upgrade}" in said
    assert not cluster.objects["jobs"]


def test_drivers_that_no_node_has_room_for_are_told_before_the_first_trial(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.nodes = ("1", "400m")
    assert run(tmp_path, "--shards", "2", "--driver-cpu", "400m", connections="3, 4") == 0
    assert "no room" not in capsys.readouterr().out
    assert run(tmp_path, "--shards", "2", "--driver-cpu", "700m", connections="5, 6") == 0
    said = capsys.readouterr().out
    assert said.count("1 of 2 pods may not fit") == 1
    warning = "reactor at 5 connections continuing with a warning: 1 of 2 pods may not fit: together they request 1.4 "
    assert warning in said
    assert "; request less (--driver-cpu, --driver-memory, --shards)" in said


def test_what_a_load_waits_for_is_told_before_it_is_given_up(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def make_room(why: str) -> None:
        told.append(why)
        (job_,) = cluster.objects["jobs"].values()
        succeed(cluster, job_)

    monkeypatch.setattr(trial, "PENDING_S", 30)
    cluster.on_job = waiting({"conditions": [NO_ROOM]})
    asked = experiment.parse(MINE.format(models="reactor", connections="3", rounds=1, more=""), "mine")
    assert trial.measure(cluster_setup(make_room), asked, only_trial(asked)).result["calls"]["ok"]
    (why,) = told
    assert why.startswith("waiting: pod load-0 is Pending: 0/2 nodes are available: 2 Insufficient cpu")


@pytest.mark.parametrize("forced", [False, True], ids=["while it ends", "when it is no more"])
@pytest.mark.parametrize("failed", ["1", "1-2"])
def test_a_driver_that_was_deleted_is_named_and_the_survivor_is_not_blamed(
    *,
    failed: str,
    forced: bool,
    cluster: FakeCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = container(terminated={"exitCode": 2, "message": "shard 1 of 2 did not connect within 60 s"})
    answer = cluster.answer

    def delete(cluster: FakeCluster, made: Object) -> None:
        for number in range(2):
            cluster.put_load(made, f"load-{number}")

        def then(*asked: Any) -> tuple[int, Object]:
            found = copy.deepcopy(answer(*asked))
            if "controller-uid" in str(asked[2]):  # it was looked at once
                cluster.put_load(made, "load-0", phase="Failed", containerStatuses=[lost])
                if forced:
                    cluster.objects["pods"].pop("load-1", None)
                else:
                    cluster.objects["pods"]["load-1"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:10Z"
                cluster.end_job(made, "FailureTarget", message="too many failed indexes")
                made["status"]["failedIndexes"] = failed
            return found

        monkeypatch.setattr(cluster, "answer", then)

    cluster.on_job = delete
    assert run(tmp_path, "--shards", "2") == 0
    said = capsys.readouterr().out
    assert "void: pod load-1 on n1 was deleted while it ran; no shard wrote a result" in said
    assert "load-0" not in said


def test_a_job_name_that_is_taken_is_another_s_and_left_alone(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.cluster.run.run_name", lambda *_: "mine")
    cluster.put("jobs", {"metadata": {"name": "mine-reactor-3-1"}})
    assert run(tmp_path) == 1
    assert (
        f"job mine-reactor-3-1 in namespace {NAMESPACE} belongs to another run; try: kubectl delete"
        in capsys.readouterr().out
    )
    assert list(cluster.objects["jobs"].values()) == [{"metadata": {"name": "mine-reactor-3-1"}}]


def test_a_trial_is_not_given_up_because_the_cluster_once_did_not_answer(cluster: FakeCluster, tmp_path: Path) -> None:
    outages = [(asked, status) for asked in ("GET jobs", "GET pods") for status in (0, 500, 429)]

    def go_on(cluster: FakeCluster, made: Object) -> None:
        cluster.outages = list(outages)
        cluster.put_load(made, "load-0")
        succeed(cluster, made)

    cluster.on_job = go_on
    assert run(tmp_path) == 0
    assert cluster.outages == []


def test_fresh_pods_are_waited_for_though_the_cluster_once_did_not_answer(
    cluster: FakeCluster,
) -> None:
    cluster.outages = [("GET pods", 0), ("GET pods", 503)]
    trial.await_pods(cluster_setup(), "reactor", 1)
    assert cluster.outages == []


@pytest.mark.parametrize("when", ["before", "while pods are started"])
@pytest.mark.parametrize("model", ["reactor", "thread_pool"])
def test_no_trial_is_measured_beside_the_load_of_another(
    when: str, model: str, cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {**OURS, "app.kubernetes.io/component": "driver", "sweetspot.dev/trial": f"{model}-3"}
    other: Object = {"metadata": {"name": "other", "labels": labels}, "spec": {"completions": 2}}
    if when == "before":
        cluster.put("jobs", other)
    else:
        cluster.on_delete = lambda: cluster.put("jobs", other)
    assert run(tmp_path) == 1
    said = capsys.readouterr().out
    assert "job other still loads release sweetspot, and the loads would mix" in said
    assert "try: kubectl delete job other -n lab" in said
    assert list(cluster.objects["jobs"]) == ["other"]
    assert ("sweetspot-reactor-old" in cluster.objects["pods"]) == (when == "before")  # it may be the other's
    cluster.end_job(other)
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
