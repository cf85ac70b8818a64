"""Cells in a cluster: how a Deployment changes during a search, and what is left after the search."""

import base64
import copy
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools.cluster.runs import parts
from tests.tools.fake_cluster import NAMESPACE, OURS, FakeCluster, Object
from tests.tools.merging import merge_in_this_process
from tools import cli
from tools.cluster import store, trial
from tools.cluster.api import Api
from tools.cluster.ownership import MANAGER, change
from tools.cluster.pods import ready
from tools.scale.cells import SearchedCell
from tools.scale.cluster import limited
from tools.scale.results import read_cells
from tools.scale.terminal import ScaleProgress

NO_ROOM = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 Insufficient cpu."}
READY = [{"type": "Ready", "status": "True"}]
GRID = """
title: How many?
models: [reactor]
connections: [3]
scale:
  plans: {{echo: {{}}}}
  replicas: {replicas}
  cpus: {cpus}
  workers: {{reactor: {{queue_bound: [7]}}}}
  objective: {{p99_ms: 10000, ok_share: 0.0001}}
  search: {{start_rps: 100, highest_rps: 200, trials: 4}}
"""


def succeed(cluster: FakeCluster, made: Object) -> None:
    end_with(cluster, made, [seen(name) for name in cluster.objects["pods"]])


def end_with(cluster: FakeCluster, made: Object, pods: list[Object]) -> None:
    """The Job is complete, and its shards have reported those pods of the service."""
    for number, part in enumerate(parts(made["spec"]["completions"], pods=pods)):
        cluster.keep_part(made, part, str(number))
    cluster.end_job(made)


def seen(name: str, **how: Any) -> Object:
    """A pod as a shard reports it: there all the time, except for `how`."""
    return {"name": name, "node": "n1", "ready_monotonic_ns": None, "went": False, **how}


def fail(cluster: FakeCluster, made: Object) -> None:
    cluster.end_job(made, "Failed", message="too late")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    merge_in_this_process(monkeypatch)
    monkeypatch.setattr(trial, "_LOOK_AGAIN_S", 0.01)
    fake = FakeCluster(succeed, nodes=("2", "1900m"))
    fake.deploy("reactor", LOG="debug")
    with fake.running(tmp_path) as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield fake


def run(folder: Path, replicas: str = "[2]", cpus: str = "[0.25]") -> int:
    (folder / "grid.yaml").write_text(GRID.format(replicas=replicas, cpus=cpus))
    return cli.main(["run", str(folder / "grid.yaml"), "--cluster", "--results", str(folder / "results")])


def only(folder: Path) -> Path:
    (found,) = (folder / "results").iterdir()
    return found


def test_what_a_cell_waits_for_is_shown_with_its_name(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show = ScaleProgress.waits

    def show_and_make_room(progress: ScaleProgress, why: str) -> None:
        show(progress, why)
        del cluster.objects["pods"]["load-0"]
        cluster.on_job = succeed
        succeed(cluster, next(iter(cluster.objects["jobs"].values())))

    monkeypatch.setattr(ScaleProgress, "waits", show_and_make_room)
    cluster.on_job = lambda cluster, made: cluster.put_load(made, "load-0", phase="Pending", conditions=[NO_ROOM])
    assert run(tmp_path) == 0
    why = "echo: reactor queue_bound=7 as 2 x 0.25 waiting: pod load-0 is Pending: 0/2 nodes are available: 2 Insuff"
    assert why in capsys.readouterr().out


def test_a_cells_pods_start_under_its_limit_with_its_options_and_what_was_there_comes_back(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    before = copy.deepcopy(cluster.objects["deployments"]["sweetspot-reactor"]["spec"])
    assert run(tmp_path) == 0
    assert [spec["replicas"] for spec in cluster.changes] == [0, 2, 0, 1]
    (container,) = cluster.changes[1]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "250m"}, "limits": {"cpu": "250m"}}
    assert container["env"] == [
        {"name": "LOG", "value": "debug"},
        {"name": "SWEETSPOT_QUEUE_BOUND", "value": "7"},
    ]
    assert cluster.objects["deployments"]["sweetspot-reactor"]["spec"] == before


def test_each_trial_of_a_search_is_a_job_of_its_own_and_none_is_left(cluster: FakeCluster, tmp_path: Path) -> None:
    run(tmp_path)
    (searched,) = read_cells(only(tmp_path)).searched
    assert isinstance(searched, SearchedCell)
    assert searched.limit == "limit of the pod"
    jobs = [name for name in cluster.created if name.startswith("jobs/")]
    assert len(set(jobs)) == len(jobs) == len(searched.tries) > 1
    assert cluster.objects["jobs"] == {}
    kept = [each["metadata"].get("labels", {}) for each in cluster.objects["configmaps"].values()]
    kinds = [labels["sweetspot.dev/kind"] for labels in kept if "sweetspot.dev/kind" in labels]
    assert kinds == ["run", "cell"]


def first_cell_only(cluster: FakeCluster, made: Object) -> None:
    """As if the machine were interrupted in its second cell."""
    (cpu,) = [each["template"]["spec"]["containers"][0]["resources"] for each in cluster.changes[-1:]]
    (succeed if cpu["limits"] == {"cpu": "250m"} else fail)(cluster, made)


def listed(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert cli.main(["results", "list"]) == 0
    return capsys.readouterr().out


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [*folder.glob("cells/*.json"), folder / "experiment.yaml"]}


def test_a_grid_that_stopped_goes_on_from_another_machine(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.on_job = first_cell_only
    assert run(tmp_path, cpus="[0.25, 0.5]") == 1
    first = only(tmp_path)
    assert listed(capsys) == f"{first.name}  2026-01-01T00:00:00Z  1 of 2 cells  How many?\n"
    assert cli.main(["results", "pull", "latest", "--results", str(tmp_path / "elsewhere")]) == 0
    second = tmp_path / "elsewhere" / first.name
    assert files(second) == files(first)
    assert (second / "report.html").exists()
    cluster.on_job = succeed
    assert cli.main(["run", "--resume", str(second)]) == 0
    assert len(read_cells(second).searched) == 2
    assert "2 of 2 cells" in listed(capsys)
    cluster.created.clear()
    assert cli.main(["run", "--resume", str(first)]) == 0
    assert files(first) == files(second)
    assert cluster.created == []


def reactor(cluster: FakeCluster) -> Object:
    return cluster.objects["deployments"]["sweetspot-reactor"]


def cut_short(cluster: FakeCluster, folder: Path) -> str:
    """A grid of two cells whose machine disappeared in the second: what is left of that. Returns the run's name."""
    found: list[Object] = []

    def disappear(cluster: FakeCluster, made: Object) -> None:
        found.append(copy.deepcopy(reactor(cluster)))
        first_cell_only(cluster, made)

    cluster.on_job = disappear
    run(folder, cpus="[0.25, 0.5]")
    cluster.put("deployments", found[-1])
    cluster.on_job = succeed
    return only(folder).name


def test_what_a_machine_that_disappeared_in_a_search_has_left_is_put_in_order(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = copy.deepcopy(reactor(cluster))
    name = cut_short(cluster, tmp_path)
    labels = {**OURS, "sweetspot.dev/run": store.try_name(name), "sweetspot.dev/trial": "reactor-3"}
    job = {"metadata": {"name": "cut-short", "labels": labels}}
    cluster.put("jobs", job)
    cluster.keep_part(job, parts(1)[0], "0")
    assert listed(capsys).count("\n") == 1
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    assert cluster.objects["jobs"] == {}
    assert "cut-short-0" not in cluster.objects["configmaps"]
    after = reactor(cluster)
    assert (after["spec"], after["metadata"]["annotations"]) == (before["spec"], {})


def owners(cluster: FakeCluster) -> set[str]:
    return {each["manager"] for each in reactor(cluster)["metadata"]["managedFields"]}


def test_a_search_leaves_no_field_its_own_be_it_over_or_cut_short(cluster: FakeCluster, tmp_path: Path) -> None:
    reactor(cluster)["metadata"]["managedFields"] = [{"manager": "helm", "operation": "Apply", "fieldsV1": {}}]
    cut_short(cluster, tmp_path)
    assert owners(cluster) == {"helm"}
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    assert owners(cluster) == {"helm"}


@pytest.mark.parametrize(("conflicts", "kept"), [(3, {"helm"}), (100, {"helm", MANAGER})])
def test_ownership_is_handed_back_though_the_deployment_changes_meanwhile(
    conflicts: int, kept: set[str], cluster: FakeCluster
) -> None:
    """The controller's status, that is, which comes after each change."""
    reactor(cluster)["metadata"]["managedFields"] = [{"manager": "helm", "operation": "Apply", "fieldsV1": {}}]
    answer, left = cluster.answer, iter(range(conflicts))

    def change_meanwhile(verb: str, path: str, query: dict[str, list[str]], body: Object | None) -> tuple[int, Object]:
        if body and "managedFields" in body["metadata"] and next(left, None) is not None:
            return 409, {"message": "the object has been modified"}
        return answer(verb, path, query, body)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cluster, "answer", change_meanwhile)
        change(Api.connect(), "deployments", "sweetspot-reactor", {"metadata": {}, "spec": {"replicas": 2}})
    assert owners(cluster) == kept


def deploy_anew(cluster: FakeCluster) -> Object:
    """As Helm would, which leaves annotations of others: another image, with the chart's limits."""
    resources = {"requests": {"cpu": "250m"}, "limits": {"cpu": "250m"}}
    new = {"image": "sweetspot/reactor:2", "env": [], "resources": resources}
    spec = {"replicas": 3, "template": {"spec": {"containers": [new]}}}
    cluster.answer("PATCH", f"/namespaces/{NAMESPACE}/deployments/sweetspot-reactor", {}, {"spec": spec})
    return spec


def test_what_was_deployed_after_a_search_was_cut_short_is_measured_and_comes_back(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    cut_short(cluster, tmp_path)
    deployed = deploy_anew(cluster)
    cluster.changes.clear()
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    images = [spec["template"]["spec"]["containers"][0]["image"] for spec in cluster.changes]
    assert set(images) == {"sweetspot/reactor:2"}
    assert (reactor(cluster)["spec"], reactor(cluster)["metadata"]["annotations"]) == (deployed, {})


PLAIN = "title: How fast?\nmodels: [reactor]\nconnections: [3]\nplan: {}\nrounds: 1\n"


def test_a_run_keeps_off_what_a_search_has_left_until_it_is_put_back_or_deployed_anew(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = cut_short(cluster, tmp_path)
    (tmp_path / "plain.yaml").write_text(PLAIN)
    plain = ["run", str(tmp_path / "plain.yaml"), "--cluster", "--results", str(tmp_path / "plain")]
    cluster.created.clear()
    capsys.readouterr()
    assert cli.main(plain) == 2
    assert capsys.readouterr().err == (
        f"sweetspot: deployment sweetspot-reactor in namespace lab still has the settings of run {name}, whose "
        f"search did not end; try: sweetspot run --resume results/{name}, or "
        "helm upgrade sweetspot helm/sweetspot -n lab --reset-then-reuse-values\n"
    )
    assert not cluster.created
    assert not (tmp_path / "plain").exists()
    deploy_anew(cluster)
    assert cli.main(plain) == 0


def test_a_cell_that_the_cluster_would_not_take_is_told_and_kept_there_later(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(cluster: FakeCluster, made: Object) -> None:
        cluster.forbidden.add("POST configmaps")
        succeed(cluster, made)

    cluster.on_job = refuse
    assert run(tmp_path) == 1
    assert "kept here, but not in the cluster: no permission for configmaps" in capsys.readouterr().out
    cluster.forbidden.clear()
    assert "0 of 1 cells" in listed(capsys)
    cluster.created.clear()
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    assert [made.partition("/")[0] for made in cluster.created] == ["configmaps"]
    assert "1 of 1 cells" in listed(capsys)


@pytest.mark.parametrize(
    "case",
    [("H4sIAA==", "cannot be read: "), (base64.b64encode(gzip.compress(b"[]")).decode(), "at $: [] is not of type")],
    ids=["not gzip", "not a cell"],
)
def test_a_cell_that_cannot_be_read_is_named_with_the_reason_and_kept_anew(
    case: tuple[str, str], cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    (kept,) = (each for each in cluster.objects["configmaps"].values() if "binaryData" in each)
    whole = kept["binaryData"]["cell.json.gz"]
    content, why = case
    kept["binaryData"]["cell.json.gz"] = content
    pull = ["results", "pull", "latest", "--results", str(tmp_path / "elsewhere")]
    assert cli.main(pull) == 1
    assert f"sweetspot: ConfigMap {kept['metadata']['name']}: {why}" in capsys.readouterr().err
    assert cli.main(["run", "--resume", str(only(tmp_path))]) == 0
    (kept,) = (each for each in cluster.objects["configmaps"].values() if "binaryData" in each)
    assert kept["binaryData"]["cell.json.gz"] == whole
    assert cli.main(pull) == 0


def test_a_cell_whose_trials_were_traced_fits_into_a_config_map(cluster: FakeCluster, tmp_path: Path) -> None:
    run(tmp_path)
    (path,) = only(tmp_path).glob("cells/*")
    cell = json.loads(path.read_text())
    calls = [{"trace_id": os.urandom(16).hex(), "latency_ns": 1, "status": "OK"} for _ in range(10_000)]
    cell["tries"] = cell["tries"][:1] * 20
    for each in cell["tries"]:
        each["trial"]["result"]["traces"] = calls
    store.save_cell(Api.connect(), "sweetspot", "big", "echo-reactor-2x0.25", cell)
    assert len(json.dumps(cluster.objects["configmaps"]["big-echo-reactor-2x0.25"])) < 1 << 20
    found, _ = store.cells(Api.connect(), "big")
    (cell_kept,) = found.values()
    assert [each["rate_rps"] for each in cell_kept["tries"]] == [each["rate_rps"] for each in cell["tries"]]


def test_a_cell_whose_load_fails_is_told_and_the_deployment_is_put_back(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.on_job = fail
    assert run(tmp_path) == 1
    assert "too late" in capsys.readouterr().out
    assert cluster.changes[-1]["replicas"] == 1
    assert "resources" not in cluster.changes[-1]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("pods", "why"),
    [
        ([seen("a")], "1 pods were loaded, not 2"),
        ([seen("a"), seen("b"), seen("c")], "3 pods were loaded, not 2"),
        (
            [seen("a"), seen("b", went=True)],
            "b started or ended during the load: the trial needs the same 2 pods throughout",
        ),
        ([seen("a"), seen("b", ready_monotonic_ns=5)], "b started or ended during the load"),
    ],
    ids=["too few", "too many", "one that went", "one that came"],
)
def test_a_cell_is_void_whose_pods_were_not_those_that_it_claims(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], pods: list[Object], why: str
) -> None:
    cluster.on_job = lambda cluster, made: end_with(cluster, made, pods)
    assert run(tmp_path) == 1
    assert f"failed: {why}" in capsys.readouterr().out
    assert not read_cells(only(tmp_path)).searched


def test_a_trial_waits_for_the_cells_pods_to_be_ready(cluster: FakeCluster, tmp_path: Path) -> None:
    """A pod that was restarted after a trial has no place in the Service yet."""
    ready_again: list[bool] = []
    answer = cluster.answer

    def lose_one(cluster: FakeCluster, made: Object) -> None:
        ready_again.append(all(ready(pod) for pod in cluster.objects["pods"].values()))
        succeed(cluster, made)
        next(iter(cluster.objects["pods"].values()))["status"]["conditions"] = []

    def recover(*asked: Any) -> tuple[int, Object]:
        found = copy.deepcopy(answer(*asked))
        if "sweetspot.dev/model" in str(asked[2]):  # looked at once more, it is ready
            for pod in cluster.objects["pods"].values():
                pod["status"]["conditions"] = READY
        return found

    cluster.on_job = lose_one
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cluster, "answer", recover)
        assert run(tmp_path) == 0
    assert len(ready_again) > 1
    assert all(ready_again)


def test_a_deployment_is_put_back_though_its_pods_could_not_be_taken_away(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, answer = copy.deepcopy(reactor(cluster)["spec"]), cluster.answer

    def refuse_once(verb: str, *rest: Any) -> tuple[int, Object]:
        if verb != "PATCH":
            return answer(verb, *rest)
        monkeypatch.setattr(cluster, "answer", answer)
        return 500, {"message": "etcd is slow"}

    def disturb(cluster: FakeCluster, made: Object) -> None:
        monkeypatch.setattr(cluster, "answer", refuse_once)
        fail(cluster, made)

    cluster.on_job = disturb
    assert run(tmp_path) == 1
    assert (reactor(cluster)["spec"], reactor(cluster)["metadata"]["annotations"]) == (before, {})


def test_a_deployment_that_cannot_be_put_back_is_named_with_what_to_do(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbid(cluster: FakeCluster, made: Object) -> None:
        cluster.forbidden.add("PATCH deployments")
        fail(cluster, made)

    cluster.on_job = forbid
    assert run(tmp_path) == 1
    said, name = capsys.readouterr().out, only(tmp_path).name
    assert "failed: deployment sweetspot-reactor could not be put back: no permission for deployments" in said
    assert (
        f"; next: sweetspot run --resume results/{name}, or "
        "helm upgrade sweetspot helm/sweetspot -n lab --reset-then-reuse-values\n" in said
    )


@pytest.mark.parametrize(
    ("replicas", "cpus", "why"),
    [
        ("[1]", "[4]", "needs a node with 4 CPUs, but the largest node has 2"),
        ("[4]", "[1]", "needs 4 CPUs, and 0.5 for the driver, of the 3.9 of 2 nodes"),
    ],
    ids=["a pod too large", "too many pods"],
)
def test_what_no_node_has_room_for_is_left_out(
    cluster: FakeCluster, tmp_path: Path, replicas: str, cpus: str, why: str
) -> None:
    assert run(tmp_path, replicas, cpus) == 0
    (left_out,) = read_cells(only(tmp_path)).left_out
    assert left_out.why == why
    assert cluster.changes == []


def test_no_permission_to_change_a_deployment_is_one_line_that_says_what_to_ask(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.forbidden.add("PATCH deployments")
    assert run(tmp_path) == 1
    assert "try: kubectl auth can-i patch deployments -n lab" in capsys.readouterr().out


@pytest.mark.parametrize(("cpus", "quantity"), [(0.125, "125m"), (1.0, "1"), (1.5, "1500m")])
def test_a_limit_is_written_as_the_api_server_gives_it_back(cpus: float, quantity: str) -> None:
    """Else a search would not recognize its own Deployment. The same holds for an empty list, which is not stored."""
    same = {"cpu": quantity}
    assert limited({"name": "c"}, cpus, {}) == {"name": "c", "resources": {"requests": same, "limits": same}}


def test_what_the_container_had_beside_its_cpus_stays() -> None:
    before: dict[str, Any] = {
        "name": "c",
        "resources": {"limits": {"memory": "1Gi", "cpu": "2"}},
        "env": [{"name": "A", "value": "1"}],
    }
    after = limited(before, 0.125, {})
    assert after["resources"] == {"limits": {"memory": "1Gi", "cpu": "125m"}, "requests": {"cpu": "125m"}}
    assert (after["name"], after["env"], before["resources"]["limits"]["cpu"]) == ("c", before["env"], "2")
