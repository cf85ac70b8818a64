"""Runs in a cluster as a person meets them: what is left, what is said, and what goes wrong."""

import copy
import dataclasses
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from sweetspot.v1.control_pb2 import SnapshotReply

from tests.driver.runs import shard_results
from tests.tools.fake_cluster import NAMESPACE, OURS, FakeCluster, Object, container, kubeconfig
from tools import cli, experiment
from tools.cluster import job, store, trial
from tools.cluster.api import Api
from tools.cluster.examples import EXAMPLES
from tools.cluster.release import Release
from tools.cluster.run import Cluster
from tools.local import Programs
from tools.results import TrialId, read_trials
from tools.wanted import only as only_trial

MINE = "title: Why?\nmodels: [{models}]\nconnections: [{connections}]\nplan: {{}}\nrounds: {rounds}\n{more}"
NAMED = {"trial": "reactor-3-1", "model": "reactor", "load": {"connections": 3}}
ROOT = Path(__file__).parents[2]
RESULTS: dict[int, list[Any]] = {}


def parts(shards: int, **changes: Any) -> list[Object]:
    """What the shards of one trial would keep."""
    results = RESULTS.setdefault(shards, shard_results(shards))
    snapshot = json_format.MessageToDict(SnapshotReply(model="reactor"), preserving_proto_field_name=True)
    there = {"name": "here", "node": "n1", "ready_monotonic_ns": None, "went": False}
    service: Object = {"before": snapshot, "after": snapshot, "pods": [there], "void": []}
    nothing: Object = {"before": None, "after": None, "pods": [], "void": []}
    asked = MINE.format(models="reactor", connections="3", rounds=1, more="")
    common = {"driver_cpus": 0.5, "spans": {}, "experiment": asked, **changes}
    return [
        {
            "trial": "reactor-3-1",
            "model": "reactor",
            "load": {"connections": 3},
            **(nothing if number else service),
            **common,
            "result": result,
        }
        for number, result in enumerate(copy.deepcopy(results))
    ]


def succeed(cluster: FakeCluster, made: Object) -> None:
    """All shards keep what they got."""
    trial_ = TrialId.parse(job.named_by(made["metadata"]["labels"]["sweetspot.dev/trial"]))
    for number, part in enumerate(parts(made["spec"]["completions"])):
        cluster.keep_part(
            made,
            {**part, "trial": str(trial_), "model": trial_.arm, "load": {"connections": int(trial_.point)}},
            str(number),
        )
    cluster.end_job(made)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    monkeypatch.setattr(trial, "_LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(trial, "PENDING_S", 0.05)
    fake = FakeCluster(succeed)
    fake.deploy("reactor", "thread_pool")
    with fake.running(tmp_path) as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield fake


def run(
    folder: Path, *flags: str, models: str = "reactor", connections: str = "3", rounds: int = 1, more: str = ""
) -> int:
    path = folder / "mine.yaml"
    path.write_text(MINE.format(models=models, connections=connections, rounds=rounds, more=more))
    return cli.main(["run", str(path), "--cluster", "--results", str(folder / "results"), *flags])


def place(tell: Callable[[str], None] = lambda _: None) -> trial.Place:
    found = Cluster(Release(Api.connect(), "sweetspot"), run="mine", programs=Programs(), shards=2).place
    return dataclasses.replace(found, tell=tell)


def only(folder: Path) -> Path:
    (found,) = (folder / "results").iterdir()
    return found


def test_a_run_leaves_the_same_folder_as_one_on_this_machine(cluster: FakeCluster, tmp_path: Path) -> None:
    assert run(tmp_path, "--shards", "2") == 0
    (found,) = read_trials(only(tmp_path)).trials
    assert (found.model, found.connections, len(found.result["shards"])) == ("reactor", 3, 2)
    assert found.pods[0]["answered"] == found.result["calls"]["ok"]
    assert {path.name for path in only(tmp_path).iterdir()} == {
        "experiment.yaml", "environment.json", "trials", "traces", "report.html", "bundle.json",
    }  # fmt: skip


def test_a_busy_node_is_said_beside_the_trial(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.on_job = lambda cluster, made: keep_a_part(cluster, made, {**parts(1)[0], "others_share": 0.46})
    assert run(tmp_path) == 0
    assert "Other processes took CPU from the service in 1 of these 1 arms" in capsys.readouterr().out.replace(
        "\n", " "
    )
    page = (only(tmp_path) / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")
    assert "reactor at 3 connections: the machine was busy: other processes took 46 % of the service's CPU" in page


def test_another_machine_can_fetch_it(cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    name = only(tmp_path).name
    capsys.readouterr()
    assert cli.main(["results", "list"]) == 0
    assert capsys.readouterr().out == f"{name}  2026-01-01T00:00:00Z  1 of 1 trials  Why?\n"
    assert cli.main(["results", "pull", name, "--results", str(tmp_path / "elsewhere")]) == 0
    for file in ("experiment.yaml", "environment.json", "trials/reactor-3-1.json"):
        assert (tmp_path / "elsewhere" / name / file).read_bytes() == (only(tmp_path) / file).read_bytes()


def test_a_job_that_somebody_applied_by_hand_is_fetched_too(cluster: FakeCluster, tmp_path: Path) -> None:
    made = {
        "metadata": {"name": "example-reactor-3-1", "labels": {**LABELS, "sweetspot.dev/run": "example"}},
        "spec": {},
    }
    for number, part in enumerate(parts(2)):
        cluster.keep_part(made, part, str(number))
    assert cli.main(["results", "pull", "example", "--results", str(tmp_path)]) == 0
    assert len(read_trials(tmp_path / "example").trials) == 1


def test_pods_stay_as_they_are_where_that_is_asked(cluster: FakeCluster, tmp_path: Path) -> None:
    before = set(cluster.objects["pods"])
    assert run(tmp_path, "--keep-pods") == 0
    assert set(cluster.objects["pods"]) == before


Loads = list[tuple[str, frozenset[str]]]
"""(the trial's label, the uids of the pods that it loads)."""


def loads_of(cluster: FakeCluster, model: str) -> Loads:
    """Is filled as loads come."""
    seen: Loads = []

    def note(cluster: FakeCluster, made: Object) -> None:
        pods = [each["metadata"] for each in cluster.objects["pods"].values()]
        loaded = frozenset(each["uid"] for each in pods if each["labels"].get("sweetspot.dev/model") == model)
        seen.append((made["metadata"]["labels"]["sweetspot.dev/trial"], loaded))
        succeed(cluster, made)

    cluster.on_job = note
    return seen


def test_each_round_has_fresh_pods_which_all_its_points_load(cluster: FakeCluster, tmp_path: Path) -> None:
    old = frozenset({cluster.objects["pods"]["sweetspot-reactor-old"]["metadata"]["uid"]})
    seen = loads_of(cluster, "reactor")
    assert run(tmp_path, connections="3, 4", rounds=3) == 0
    assert [label for label, _ in seen] == [f"reactor-{point}-{number}" for number in (1, 2, 3) for point in (3, 4)]
    of_rounds = [{pods for _, pods in seen[first : first + 2]} for first in (0, 2, 4)]
    assert [len(pods) for pods in of_rounds] == [1, 1, 1]
    assert len(set.union({old}, *of_rounds)) == 4
    assert len(read_trials(only(tmp_path)).trials) == 6


def test_two_arms_of_one_model_have_a_start_each(cluster: FakeCluster, tmp_path: Path) -> None:
    seen = loads_of(cluster, "reactor")
    path = tmp_path / "aa.yaml"
    path.write_text("title: A/A\narms: {one: {model: reactor}, two: {model: reactor}}\nconnections: [3]\nplan: {}\n")
    assert cli.main(["run", str(path), "--cluster", "--results", str(tmp_path / "results")]) == 0
    assert len(seen) == len({pods for _, pods in seen}) == 6


def test_what_a_round_lacks_is_measured_with_fresh_pods(cluster: FakeCluster, tmp_path: Path) -> None:
    run(tmp_path, connections="3, 4", rounds=2)
    (only(tmp_path) / "trials" / "reactor-4-2.json").unlink()
    for kind in ("jobs", "configmaps"):
        for name in [name for name in cluster.objects[kind] if "reactor-4-2" in name]:
            del cluster.objects[kind][name]
    before = {pod["metadata"]["uid"] for pod in cluster.objects["pods"].values()}
    seen = loads_of(cluster, "reactor")
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    ((label, pods),) = seen
    assert label == "reactor-4-2"
    assert pods
    assert not pods & before


def test_a_trial_with_blocks_is_one_load_as_long_as_they_are_together(cluster: FakeCluster, tmp_path: Path) -> None:
    loads: list[Object] = []

    def note(cluster: FakeCluster, made: Object) -> None:
        (driver,) = made["spec"]["template"]["spec"]["containers"]
        loads.append(yaml.safe_load(next(each["value"] for each in driver["env"] if each["name"] == "EXPERIMENT")))
        succeed(cluster, made)

    cluster.on_job = note
    assert run(tmp_path, more="blocks: 10\nduration_s: 0.3\n") == 0
    assert [(load["duration_s"], load.get("blocks", 1)) for load in loads] == [(3.0, 1)]


def test_a_trial_is_over_once_each_shard_has_kept_its_result_and_its_job_is_in_nobodys_way(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    """The Job says that it is complete up to 3 s later."""

    def keep_alone(cluster: FakeCluster, made: Object) -> None:
        succeed(cluster, made)
        del made["status"]

    cluster.on_job = keep_alone
    assert run(tmp_path, "--shards", "2", connections="3, 4") == 0
    assert len(read_trials(only(tmp_path)).trials) == 2


def test_pods_that_are_replaced_have_nothing_to_drain_and_get_a_second(cluster: FakeCluster) -> None:
    graces: list[list[str]] = []
    answer = cluster.answer

    def note(verb: str, path: str, query: dict[str, list[str]], body: Object | None) -> tuple[int, Object]:
        graces.extend([query["gracePeriodSeconds"]] if verb == "DELETE" else [])
        return answer(verb, path, query, body)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cluster, "answer", note)
        trial.freshen(place(), "reactor")
    assert graces == [["1"]]


def test_a_run_goes_on_where_it_stopped(cluster: FakeCluster, tmp_path: Path) -> None:
    run(tmp_path, "--shards", "2", connections="3, 4")
    (only(tmp_path) / "trials" / "reactor-4-1.json").unlink()
    cluster.objects["jobs"].popitem()
    for name in [name for name in cluster.objects["configmaps"] if "reactor-4" in name]:
        del cluster.objects["configmaps"][name]
    cluster.created.clear()
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    assert cluster.created == [f"jobs/{only(tmp_path).name}-reactor-4-1"]
    assert len(read_trials(only(tmp_path)).trials) == 2


def test_a_trial_that_ended_while_nobody_looked_is_not_run_again(cluster: FakeCluster, tmp_path: Path) -> None:
    run(tmp_path)
    (only(tmp_path) / "trials" / "reactor-3-1.json").unlink()
    cluster.created.clear()
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    assert cluster.created == []
    assert len(read_trials(only(tmp_path)).trials) == 1


def test_a_run_that_goes_on_with_other_options_of_the_service_says_so(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.deploy("reactor", SWEETSPOT_QUEUE_BOUND="64")
    run(tmp_path)
    resume = ["run", "--resume", str(only(tmp_path))]
    cli.main(resume)
    cluster.deploy("reactor", SWEETSPOT_QUEUE_BOUND="7")
    assert capsys.readouterr().err == ""
    cli.main(resume)
    assert "old trials may not compare with new ones" in capsys.readouterr().err


FORGOTTEN = [{"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": "False"}]
"""What a pod's conditions are once its node is not heard of."""
UNHEARD = "pod load-0 on n1: nothing is heard of that node; try: kubectl describe node n1"


def test_a_void_trial_is_repeated_once_and_again_by_resume(cluster: FakeCluster, tmp_path: Path) -> None:
    cluster.on_job = crash_the_service
    assert run(tmp_path, "--shards", "2") == 0
    assert [made.partition("/")[0] for made in cluster.created].count("jobs") == 2
    cluster.on_job = succeed
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    assert len(read_trials(only(tmp_path)).trials) == 1


def test_a_trial_whose_repetition_is_not_void_is_a_result(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash_once(cluster: FakeCluster, made: Object) -> None:
        cluster.on_job = succeed
        crash_the_service(cluster, made)

    cluster.on_job = crash_once
    assert run(tmp_path, "--shards", "2", "--strict") == 0
    why = "reactor at 3 connections is void: pod sweetspot-reactor-x on n1 was OOMKilled; it is repeated once"
    assert why in capsys.readouterr().out
    assert len(read_trials(only(tmp_path)).trials) == 1
    assert not list((only(tmp_path) / "trials").glob("*.void"))


def test_a_check_that_makes_a_trial_void_does_so_in_a_run_and_in_a_pull_but_not_despite_noise(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (part,) = parts(1)
    part["result"]["shards"][0]["cpu_ns"] = 10**12
    cluster.on_job = lambda cluster, made: keep_a_part(cluster, made, part)
    why = "so that it may be what was measured"
    assert run(tmp_path, "--strict") == 42
    assert [made.partition("/")[0] for made in cluster.created].count("jobs") == 2
    assert why in capsys.readouterr().out
    (void,) = (only(tmp_path) / "trials").iterdir()
    assert why in void.read_text()
    pull = ["results", "pull", only(tmp_path).name, "--results", str(tmp_path / "elsewhere")]
    assert [cli.main(pull), cli.main([*pull, "--strict"]), cli.main([*pull, "--despite-noise"])] == [0, 42, 0]
    assert capsys.readouterr().err.count(why) == 2
    assert len(read_trials(tmp_path / "elsewhere" / only(tmp_path).name).trials) == 1
    assert cli.main(["run", "--resume", str(only(tmp_path)), "--despite-noise", "--strict"]) == 0
    assert len(read_trials(only(tmp_path)).trials) == 1


def lose_a_shard(cluster: FakeCluster, made: Object) -> None:
    cluster.keep_part(made, parts(2)[0], "0")
    killed = container(terminated={"exitCode": 137, "reason": "OOMKilled"})
    cluster.put_load(made, "load-1", phase="Failed", containerStatuses=[killed])
    cluster.end_job(made, "Failed", reason="FailedIndexes", message="index 1 failed")


def double_a_shard(cluster: FakeCluster, made: Object) -> None:
    for number, part in enumerate([*parts(2), parts(2)[1]]):
        cluster.keep_part(made, part, str(number))
    cluster.end_job(made)


def lose_the_node(cluster: FakeCluster, made: Object) -> None:
    cluster.keep_part(made, parts(2)[1], "1")
    cluster.put_load(made, "load-0", conditions=FORGOTTEN)


def lose_the_node_unnoticed(cluster: FakeCluster, made: Object) -> None:
    """The Job's time runs out, and as not all of its pods end, it never comes to be `Failed`."""
    cluster.keep_part(made, parts(2)[1], "1")
    cluster.put_load(made, "load-0")
    cluster.put_load(made, "load-1", phase="Succeeded")
    cluster.end_job(made, "FailureTarget", message="Job was active longer than specified deadline")


def crash_the_service(cluster: FakeCluster, made: Object) -> None:
    for number, part in enumerate(parts(2, void=["pod sweetspot-reactor-x on n1 was OOMKilled"])[:1] + parts(2)[1:]):
        cluster.keep_part(made, part, str(number))
    cluster.end_job(made)


@pytest.mark.parametrize(
    ("mishap", "why"),
    [
        (lose_a_shard, "pod load-1 on n1 was OOMKilled; shard 1 of 2 wrote no result"),
        (double_a_shard, "shard 1 of 2 wrote 2 results: it was started more than once"),
        (lose_the_node, f"{UNHEARD}; shard 0 of 2 wrote no result"),
        (
            lose_the_node_unnoticed,
            "Job was active longer than specified deadline; pod load-0 on n1 has not ended; shard 0 of 2 wrote no",
        ),
        (crash_the_service, "pod sweetspot-reactor-x on n1 was OOMKilled"),
    ],
)
def test_a_run_in_which_something_was_lost_is_void_and_says_why(
    mishap: Callable[[FakeCluster, Object], None],
    why: str,
    cluster: FakeCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster.on_job = mishap
    assert run(tmp_path, "--shards", "2") == 0
    said = capsys.readouterr()
    assert why in said.out
    assert "1 of 1 trials is void; to run the 1 missing: " in said.err
    assert not read_trials(only(tmp_path)).trials
    assert why in (only(tmp_path) / "report.html").read_text()


def keep_a_part(cluster: FakeCluster, made: Object, part: Object) -> None:
    cluster.keep_part(made, part, "0")
    cluster.end_job(made)


def keep_no_part(cluster: FakeCluster, made: Object) -> None:
    keep_a_part(cluster, made, {})
    (broken,) = (each for name, each in cluster.objects["configmaps"].items() if name.endswith("reactor-3-1-0"))
    broken["binaryData"]["part.json.gz"] = "H4sIAA=="


def broken_parts() -> dict[str, tuple[Callable[[FakeCluster, Object], None], str]]:
    """What a shard of another version, or with a fault, may keep."""
    fewer = {"reactor": {"made": -150, "exported": 0, "dropped": 0}}
    counters = {"cpu_user_ns": "much"}
    parts_of = {
        "counts below 0": ({**parts(1)[0], "spans": fewer}, "at $.spans.reactor.made: -150 is less than the minimum"),
        "no result": ({**parts(1)[0], "result": None}, "at $.result: None is not of type 'object'"),
        "no shard": ({**parts(1)[0], "result": {"shards": []}}, "at $.result.shards: [] should be non-empty"),
        "half a result": ({**parts(1)[0], "result": {"shards": [{"index": 0, "of": 1}]}}, "KeyError: 'interrupted'"),
        "no counters": ({**parts(1)[0], "before": None}, "at $.before: None is not of type 'object'"),
        "odd counters": ({**parts(1)[0], "before": counters}, "the service's counters cannot be read: "),
        "no mapping": ([], "at $: [] is not of type 'object'"),
    }
    told: dict[str, tuple[Callable[[FakeCluster, Object], None], str]] = {
        name: (lambda cluster, made, part=part: keep_a_part(cluster, made, part), why)  # type: ignore[misc]
        for name, (part, why) in parts_of.items()
    }
    return {**told, "not JSON": (keep_no_part, "cannot be read: ")}


@pytest.mark.parametrize(("keep", "why"), broken_parts().values(), ids=broken_parts())
def test_a_part_that_breaks_the_schema_is_a_void_trial_and_disturbs_no_other(
    keep: Callable[[FakeCluster, Object], None],
    why: str,
    cluster: FakeCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster.on_job = lambda cluster, made: (keep if made["metadata"]["name"].endswith("-3-1") else succeed)(
        cluster, made
    )
    assert run(tmp_path, connections="3, 4") == 0
    folder = only(tmp_path)
    assert (folder / "trials" / "reactor-3-1.void").read_text().startswith("void: ")
    assert why in capsys.readouterr().out
    assert (folder / "report.html").exists()
    assert cli.main(["results", "pull", folder.name, "--results", str(tmp_path / "elsewhere")]) == 0
    assert why in capsys.readouterr().err
    assert len(read_trials(tmp_path / "elsewhere" / folder.name).trials) == 1
    cluster.on_job = succeed
    assert cli.main(["run", "--resume", str(folder)]) == 0
    assert len(read_trials(folder).trials) == 2


def test_a_run_whose_experiment_cannot_be_read_is_listed_beside_the_others(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    store.keep_run(Api.connect(), "odd", "sweetspot", {"experiment.yaml": "models: 7"})
    capsys.readouterr()
    assert cli.main(["results", "list"]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 2
    assert "odd  2026-01-01T00:00:00Z  0 of ? things  its experiment cannot be read: odd: at $" in said


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
                "image sweetspot/driver:1 is not there (ErrImagePull)",
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
    assert f"gets no pod: {QUOTA.format(cpu)}; ask for less (--driver-cpu, --driver-memory, --shards)" in said
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
    assert trial.measure(place(make_room), asked, only_trial(asked)).result["calls"]["ok"]
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


def test_drivers_that_no_node_has_room_for_are_told_before_the_first_trial(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.nodes = ("1", "400m")
    assert run(tmp_path, "--shards", "2", "--driver-cpu", "400m", connections="3, 4") == 0
    assert "no room" not in capsys.readouterr().out
    assert run(tmp_path, "--shards", "2", "--driver-cpu", "700m", connections="5, 6") == 0
    said = capsys.readouterr().out
    assert said.count("1 of 2 pods may have no room") == 1
    warning = (
        "reactor at 5 connections goes on, with a warning: 1 of 2 pods may have no room: together they ask for 1.4 "
    )
    assert warning in said
    assert "; ask for less (--driver-cpu, --driver-memory, --shards)" in said


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
    assert trial.measure(place(make_room), asked, only_trial(asked)).result["calls"]["ok"]
    (why,) = told
    assert why.startswith("waits: pod load-0 is Pending: 0/2 nodes are available: 2 Insufficient cpu")


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
    lost = container(terminated={"exitCode": 2, "message": "shard 1 did not come within 60 s"})
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
    assert f"job mine-reactor-3-1 in namespace {NAMESPACE} is another's; try: kubectl delete" in capsys.readouterr().out
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
    trial.await_pods(place(), "reactor", 1)
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
    assert "job other still loads release sweetspot, and both would be measured" in said
    assert "try: kubectl delete job other -n lab" in said
    assert list(cluster.objects["jobs"]) == ["other"]
    assert ("sweetspot-reactor-old" in cluster.objects["pods"]) == (when == "before")  # it may be the other's
    cluster.end_job(other)
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0


def forbid(cluster: FakeCluster) -> None:
    cluster.forbidden.add("GET deployments")


def empty(cluster: FakeCluster) -> None:
    cluster.objects["deployments"].clear()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (forbid, ["no permission for deployments", "kubectl auth can-i get deployments -n lab"]),
        (
            empty,
            ["no models of release sweetspot in namespace lab", "try: make deploy RELEASE=sweetspot NAMESPACE=lab"],
        ),
        ("seda", ["unknown model 'seda'", "reactor, thread_pool"]),
    ],
)
def test_what_keeps_a_run_from_beginning_is_one_line_that_says_what_to_try(
    wrong: Callable[[FakeCluster], None] | str,
    words: list[str],
    cluster: FakeCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = wrong if isinstance(wrong, str) else "reactor"
    if not isinstance(wrong, str):
        wrong(cluster)
    assert run(tmp_path, models=models) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert [word for word in words if word not in said] == []
    assert cluster.created == []
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("kind", ["configmaps", "jobs"])
def test_who_may_look_but_not_make_is_told_what_to_ask_and_what_is_left(
    kind: str, cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.forbidden.add(f"POST {kind}")
    assert run(tmp_path) > 0
    said = "".join(capsys.readouterr())
    assert f"no permission for {kind} {only(tmp_path).name}" in said
    assert f"try: kubectl auth can-i create {kind} -n lab" in said
    assert {"configmaps": f"{only(tmp_path)} is left", "jobs": f"run --resume {only(tmp_path)}"}[kind] in said
    assert not cluster.objects["jobs"]


AS_DEPLOYED = {
    "service options": (
        "models: [reactor]\nservice_options: {queue_bound: 7}",
        "reactor runs with queue_bound at its default, not 7; try: helm upgrade sweetspot helm/sweetspot -n lab "
        "--reset-then-reuse-values --set models.reactor.options.queue_bound=7",
    ),
    "options of an arm": (
        "arms: {short: {model: reactor, options: {queue_bound: 7}}}",
        "arm short: reactor runs with queue_bound at its default, not 7; try: helm upgrade",
    ),
    "processors": (
        "arms: {wide: {model: reactor, cpus: 2}}",
        "arm wide: reactor has a CPU limit of 500m, not 2; try: helm upgrade sweetspot helm/sweetspot -n lab "
        "--reset-then-reuse-values --set models.reactor.cpu=2",
    ),
    "interpreter": (
        "arms: {new: {model: reactor, python: /opt/python}}",
        "arm new: reactor runs with the interpreter of its image, not /opt/python: remove `python`",
    ),
    "environment": (
        "arms: {free: {model: reactor, environment: {PYTHON_GIL: '0'}}}",
        "arm free: reactor runs with PYTHON_GIL not set, not 0; set models.reactor.extraEnv to "
        '[{name: PYTHON_GIL, value: "0"}] in the values of the release',
    ),
    "capacity": (
        "models: [reactor]\nrate_of_capacity: 0.5",
        "load.rate_of_capacity is not known in a cluster: set rate_rps instead, or run without --cluster",
    ),
    "a file of times": (
        "models: [reactor]\nschedule: replay:times.txt",
        "load.schedule 'replay:times.txt' is a file, which a driver's pod does not have: set another schedule",
    ),
}


@pytest.mark.parametrize(("asked", "why"), AS_DEPLOYED.values(), ids=AS_DEPLOYED)
def test_what_is_not_as_it_was_deployed_is_rejected_by_name_and_nothing_is_left(
    asked: str, why: str, cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit(cluster, "500m")
    path = tmp_path / "mine.yaml"
    path.write_text(f"title: Why?\nconnections: [3]\nplan: {{}}\n{asked}\n")
    assert cli.main(["run", str(path), "--cluster", "--results", str(tmp_path / "results")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"sweetspot: {why}")
    assert said.count("\n") == 1
    assert cluster.created == []
    assert not (tmp_path / "results").exists()


def test_an_arm_that_is_as_it_was_deployed_is_measured(cluster: FakeCluster, tmp_path: Path) -> None:
    cluster.deploy("reactor", SWEETSPOT_QUEUE_BOUND="7", PYTHON_GIL="0")
    limit(cluster, "2")
    path = tmp_path / "mine.yaml"
    arm = "{model: reactor, options: {queue_bound: 7}, cpus: 2, environment: {PYTHON_GIL: '0'}}"
    path.write_text(f"title: Why?\nconnections: [3]\nrounds: 1\nplan: {{}}\narms: {{mine: {arm}}}\n")
    asked = ["run", str(path), "--cluster", "--despite-noise", "--results", str(tmp_path / "results")]
    assert cli.main(asked) == 0
    assert [each.arm for each in read_trials(only(tmp_path)).trials] == ["mine"]


def limit(cluster: FakeCluster, cpu: str) -> None:
    """Of the reactor's pods."""
    (container_,) = cluster.objects["deployments"]["sweetspot-reactor"]["spec"]["template"]["spec"]["containers"]
    container_["resources"] = {"limits": {"cpu": cpu}}


def test_an_option_is_the_same_number_however_it_is_written(cluster: FakeCluster) -> None:
    containers = cluster.objects["deployments"]["sweetspot-reactor"]["spec"]["template"]["spec"]["containers"]
    containers[0]["env"] = [{"name": "SWEETSPOT_DRAIN_TIMEOUT_S", "value": "20"}]
    Release(Api.connect("lab"), "sweetspot").check_options("reactor", {"drain_timeout_s": 20.0})


@pytest.mark.parametrize("arguments", [["results", "list"], ["results", "pull", "x"], ["run", "smoke", "--cluster"]])
def test_without_a_cluster_every_command_says_so(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("sweetspot: no cluster: ")
    assert "`make cluster` makes one" in said
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, address)))
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    why = "[Errno 111] Connection refused; try: kubectl cluster-info"
    assert said == f"sweetspot: the cluster at {address} does not answer: {why}\n"


def test_a_run_that_is_not_there_is_told_with_how_to_find_those_that_are(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    assert cli.main(["results", "pull", "x", "--results", str(results)]) == 2
    assert capsys.readouterr().err == "sweetspot: no run 'x' in namespace lab; try: sweetspot results list -n lab\n"
    assert cli.main(["results", "pull", "latest", "--results", str(results)]) == 2
    assert "sweetspot: no run of release sweetspot in namespace lab; try: " in capsys.readouterr().err
    assert not results.exists()


LABELS = {**OURS, "sweetspot.dev/trial": "reactor-3-1"}


def test_the_example_jobs_are_those_that_runs_make() -> None:
    committed = {path.stem: path.read_text() for path in (ROOT / "k8s/examples").iterdir()}
    assert committed == {name: example.text(name) for name, example in EXAMPLES.items()}, (
        "changed: see `make manifests`"
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_shard_is_run_twice_or_for_ever(name: str) -> None:
    spec = yaml.safe_load(EXAMPLES[name].text(name))["spec"]
    assert (spec["completionMode"], spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == ("Indexed", 0, 0)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["ttlSecondsAfterFinished"] > 0


@pytest.mark.parametrize("run_name", ["a", "a-very-long-name-of-an-experiment-20261123t100000z", "x" * 60])
def test_a_pod_s_host_name_is_never_too_long(run_name: str) -> None:
    name = job.job_name(run_name, TrialId("thread_per_connection", "100000"))
    assert len(f"{name}-99999") <= 63
    assert name[0].isalnum()


def test_ten_thousand_traced_calls_fit_into_a_config_map(cluster: FakeCluster) -> None:
    calls = [
        {"trace_id": os.urandom(16).hex(), "latency_ns": int.from_bytes(os.urandom(4)), "status": "OK"}
        for _ in range(10_000)
    ]
    part = parts(1)[0]
    part["result"]["traces"] = calls
    store.keep_part(Api.connect(), LABELS, "big", part)
    (kept,) = (each for each in cluster.objects["configmaps"].values() if "labels" in each["metadata"])
    assert len(json.dumps(kept)) < 1 << 20


def jaeger_says(cluster: FakeCluster, answer: Any, path: str = "") -> None:
    labels = {**OURS, "app.kubernetes.io/component": "jaeger"}
    cluster.put("services", {"metadata": {"name": "sweetspot-jaeger", "labels": labels}})
    cluster.put("services", {"metadata": {"name": f"sweetspot-jaeger:16686/proxy/api/v3/traces{path}"}, **answer})


def otlp(process: str, *spans: Object) -> Object:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": process}}]}
    whole = {"name": "Run", "startTimeUnixNano": "0", "endTimeUnixNano": "5000000"}
    return {"resource": resource, "scopeSpans": [{"spans": [{**whole, **span} for span in spans]}]}


def said_of(run_name: str, trial_name: str) -> list[Object]:
    labels = {"sweetspot.run": run_name, "sweetspot.trial": trial_name}
    return [{"key": key, "value": {"stringValue": value}} for key, value in labels.items()]


def traced(cluster: FakeCluster, made: Object) -> None:
    """A trial of which one call was traced."""
    part = parts(1, spans={"reactor": {"made": 2, "exported": 2, "dropped": 0}})[0]
    part["result"]["traces"] = [{"trace_id": "ab" * 16, "latency_ns": 5_000_000, "status": "OK"}]
    part["result"]["spans"] = {"made": 1, "exported": 1, "dropped": 0}
    cluster.keep_part(made, part, "0")
    cluster.end_job(made)


def test_traces_are_linked_and_counted(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.on_job = traced
    run(tmp_path)
    folder = only(tmp_path)
    root = {"traceId": "ab" * 16, "spanId": "d1", "attributes": said_of(folder.name, "reactor-3-1")}
    of_another = {"traceId": "cd" * 16, "spanId": "d2", "attributes": said_of(folder.name, "reactor-10")}
    found = [otlp("driver", root, of_another), otlp("reactor", *({"traceId": f"{two * 16}"} for two in ("ab", "cd")))]
    jaeger_says(cluster, {"result": {"resourceSpans": found}})
    capsys.readouterr()
    assert cli.main(["traces", str(folder), "--jaeger", "http://j/"]) == 1
    said = capsys.readouterr().out
    assert f"median       5 ms  http://j/trace/{'ab' * 16}  OK" in said
    assert "search for the slowest: http://j/search?service=driver&" in said
    assert "spans of driver: 1 made, 1 exported, 1 stored" in said
    assert "spans of reactor: 2 made, 2 exported, 1 stored" in said
    assert "missing: 1 exported spans are not stored though their traces are" in said


def test_the_report_of_a_cluster_run_has_its_waterfalls_and_needs_no_jaeger_for_them(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    root = {"traceId": "ab" * 16, "spanId": "d1", "kind": 3}
    served = {"traceId": "ab" * 16, "spanId": "s1", "parentSpanId": "d1", "kind": 2}
    found = [otlp("driver", root), otlp("reactor", served)]
    jaeger_says(cluster, {"result": {"resourceSpans": found}}, f"/{'ab' * 16}")
    cluster.on_job = traced
    run(tmp_path)
    kept = (only(tmp_path) / "traces" / "reactor-3-1.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in kept.splitlines()] == [{"resourceSpans": found}]
    page = (only(tmp_path) / "report.html").read_text(encoding="utf-8")
    assert "only traced" in page
    assert "http://localhost:16686/search?service=driver&amp;" in page
    assert "kubectl port-forward -n lab service/sweetspot-jaeger 16686" in page


def test_a_pulled_run_has_its_waterfalls_too(cluster: FakeCluster, tmp_path: Path) -> None:
    cluster.on_job = traced
    run(tmp_path)
    name = only(tmp_path).name
    jaeger_says(
        cluster,
        {"result": {"resourceSpans": [otlp("driver", {"traceId": "ab" * 16, "spanId": "d1"})]}},
        f"/{'ab' * 16}",
    )
    assert cli.main(["results", "pull", name, "--results", str(tmp_path / "elsewhere")]) == 0
    assert "only traced" in (tmp_path / "elsewhere" / name / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("has_jaeger", "why"),
    [
        (
            False,
            "Calls were traced at 3 connections, but release sweetspot has no Jaeger of its own; try: helm upgrade",
        ),
        (True, "Calls were traced at 3 connections, but Jaeger (sweetspot-jaeger) has none of these traces"),
    ],
)
def test_a_report_without_waterfalls_says_why(cluster: FakeCluster, tmp_path: Path, has_jaeger: bool, why: str) -> None:
    if has_jaeger:
        jaeger_says(cluster, {})
    cluster.on_job = traced
    run(tmp_path)
    assert why in (only(tmp_path) / "report.html").read_text(encoding="utf-8")


def test_without_a_jaeger_that_answers_it_says_where_to_look(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    capsys.readouterr()
    assert cli.main(["traces", str(only(tmp_path))]) == 2
    out, err = capsys.readouterr()
    assert "release sweetspot has no Jaeger of its own; try: helm upgrade" in err
    assert out == ""
    jaeger_says(cluster, {})
    del cluster.objects["services"]["sweetspot-jaeger:16686/proxy/api/v3/traces"]
    assert cli.main(["traces", str(only(tmp_path))]) == 2
    said = capsys.readouterr().err
    assert "Jaeger (sweetspot-jaeger) does not answer: " in said
    assert "kubectl get pods -n lab -l app.kubernetes.io/component=jaeger" in said


def test_a_run_on_this_machine_has_its_spans_in_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trials").mkdir()
    assert cli.main(["traces", str(tmp_path)]) == 2
    assert "not a run in a cluster; its spans are in traces/" in capsys.readouterr().err
