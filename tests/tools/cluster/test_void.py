"""Trials in a cluster that are void: each has its reason, and disturbs no other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tools.cluster.runs import UNHEARD, keep_a_part, only, parts, run, succeed
from tests.tools.fake_cluster import FakeCluster, Object, container
from tools import cli
from tools.cluster import job, store
from tools.cluster.api import Api
from tools.results import TrialId, read_trials

FORGOTTEN = [{"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": "False"}]
"""The conditions of a pod whose node does not report any more."""


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
    why = "reactor at 3 connections is void: pod sweetspot-reactor-x on n1 was OOMKilled; repeating it once"
    assert why in capsys.readouterr().out
    assert len(read_trials(only(tmp_path)).trials) == 1
    assert not list((only(tmp_path) / "trials").glob("*.void"))


def test_a_check_that_makes_a_trial_void_does_so_in_a_run_and_in_a_pull_but_not_despite_noise(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (part,) = parts(1)
    part["result"]["shards"][0]["cpu_ns"] = 10**12
    cluster.on_job = lambda cluster, made: keep_a_part(cluster, made, part)
    why = "so the figures may be its own"
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


def test_arms_with_other_replies_are_void_beside_each_other(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two arms have no majority: both are repeated, and void in the run and in a pull of it."""

    def reply_by_arm(cluster: FakeCluster, made: Object) -> None:
        trial = TrialId.parse(job.named_by(made["metadata"]["labels"]["sweetspot.dev/trial"]))
        (part,) = parts(1)
        part |= {"trial": str(trial), "model": trial.arm}
        (of_reply,) = part["result"]["checksums"].values()
        part["result"]["checksums"] = {str(len(trial.arm)): of_reply}
        keep_a_part(cluster, made, part)

    cluster.on_job = reply_by_arm
    assert run(tmp_path, "--strict", models="reactor, thread_pool") == 42
    assert [made.partition("/")[0] for made in cluster.created].count("jobs") == 4
    why = "the checksums of its replies differ from those of the other arms"
    said = capsys.readouterr().out
    assert said.count(f"is void: {why}") == 2
    assert "2/2" in said
    assert "3/2" not in said
    assert [reason for _, reason in read_trials(only(tmp_path)).void] == [f"{why}, so it did other work"] * 2
    pull = ["results", "pull", only(tmp_path).name, "--results", str(tmp_path / "elsewhere"), "--strict"]
    assert cli.main(pull) == 42


def lose_a_shard(cluster: FakeCluster, made: Object) -> None:
    cluster.keep_part(made, parts(2)[0], "0")
    killed = container(terminated={"exitCode": 137, "reason": "OOMKilled"})
    cluster.put_load(made, "load-1", phase="Failed", containerStatuses=[killed])
    cluster.end_job(made, "Failed", reason="FailedIndexes", message="index 1 failed")


STOPPED = [
    f"shard {number} of 2 on n{number} was stopped after {1000 + number:,} calls answered OK" for number in (0, 1)
]


def stop_the_shards(cluster: FakeCluster, made: Object) -> None:
    """The pod of shard 1 is deleted. The Job then ends the other one. Both store what they know."""
    for number, why in enumerate(STOPPED):
        cluster.keep_part(made, {"trial": "reactor-3-1", "void": [why]}, str(number))
        cluster.put_load(made, f"load-{number}")
    cluster.objects["pods"]["load-1"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:10Z"
    cluster.end_job(made, "FailureTarget", message="too many failed indexes")
    made["status"]["failedIndexes"] = "1"


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
        (stop_the_shards, f"pod load-1 on n1 was deleted while it ran; {'; '.join(STOPPED)}"),
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


def keep_changed(**changes: Any) -> Callable[[FakeCluster, Object], None]:
    """A shard that stores its part with those changes."""
    return lambda cluster, made: keep_a_part(cluster, made, {**parts(1)[0], **changes})


def keep_no_mapping(cluster: FakeCluster, made: Object) -> None:
    keep_a_part(cluster, made, [])  # type: ignore[arg-type]


def keep_no_part(cluster: FakeCluster, made: Object) -> None:
    keep_a_part(cluster, made, {})
    (broken,) = (each for name, each in cluster.objects["configmaps"].items() if name.endswith("reactor-3-1-0"))
    broken["binaryData"]["part.json.gz"] = "H4sIAA=="


BROKEN_PARTS: dict[str, tuple[Callable[[FakeCluster, Object], None], str]] = {
    "counts below 0": (
        keep_changed(spans={"reactor": {"made": -150, "exported": 0, "dropped": 0}}),
        "at $.spans.reactor.made: -150 is less than the minimum",
    ),
    "no result": (keep_changed(result=None), "at $.result: None is not of type 'object'"),
    "no shard": (keep_changed(result={"shards": []}), "at $.result.shards: [] should be non-empty"),
    "half a result": (keep_changed(result={"shards": [{"index": 0, "of": 1}]}), "KeyError: 'interrupted'"),
    "no counters": (keep_changed(before=None), "at $.before: None is not of type 'object'"),
    "odd counters": (keep_changed(before={"cpu_user_ns": "much"}), "the service's counters cannot be read: "),
    "no mapping": (keep_no_mapping, "at $: [] is not of type 'object'"),
    "not JSON": (keep_no_part, "cannot be read: "),
}
"""What a shard of another version, or with a fault, may store."""


@pytest.mark.parametrize(("keep", "why"), BROKEN_PARTS.values(), ids=BROKEN_PARTS)
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
    store.save_run(Api.connect(), "odd", "sweetspot", {"experiment.yaml": "models: 7"})
    capsys.readouterr()
    assert cli.main(["results", "list"]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 2
    assert "odd  2026-01-01T00:00:00Z  0 of ? things  its experiment cannot be read: odd: at $" in said
