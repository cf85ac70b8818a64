"""Runs in a cluster as a user sees them: what is left, which pods are loaded, and how a run continues."""

from pathlib import Path

import pytest
import yaml

from tests.tools.cluster.runs import LABELS, cluster_setup, keep_a_part, only, parts, run, succeed
from tests.tools.fake_cluster import FakeCluster, Object, labels_of_model, pod
from tools import cli
from tools.cluster import trial
from tools.results import read_trials


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
    """The Job's status becomes complete up to 3 s later."""

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
        trial.delete_pods(cluster_setup().release, "reactor")
    assert graces == [["1"]]


def test_drivers_start_while_new_pods_of_the_service_do(cluster: FakeCluster, tmp_path: Path) -> None:
    there: list[list[str]] = []

    def start_late(cluster: FakeCluster, made: Object) -> None:
        there.append([name for name in cluster.objects["pods"] if name.startswith("sweetspot-reactor")])
        cluster.put("pods", pod("sweetspot-reactor-new", labels_of_model("reactor")))
        succeed(cluster, made)

    cluster.hold_pods = True
    cluster.on_job = start_late
    assert run(tmp_path) == 0
    assert there == [[]]


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
    assert "do not compare old trials with new ones" in capsys.readouterr().err
