"""Claims in a cluster: each experiment is a run there, and a verdict is about what was deployed, or "not here"."""

import itertools
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tools.claims.made import in_place, state
from tests.tools.cluster.runs import parts
from tests.tools.fake_cluster import FakeCluster, Object
from tools import cli
from tools.claims import judged_run, reading, running
from tools.cluster.job import named_by
from tools.results import TrialId, read_trials

RACE = """
title: Which is faster?
arms:
  hare: {model: reactor}
  tortoise: {model: thread_pool}
  rival: {model: reactor, options: {demultiplexer: poll}}
load: {connections: [3]}
plan: {}
duration_s: 0.5
rounds: 8
"""
SPEEDS = {"hare": 3.0, "tortoise": 1.0}


@pytest.fixture
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> Path:
    """A folder of claims about a race: C12 of hare and tortoise, C13 of hare and rival, C47 of a handler's code."""
    in_place(tmp_path, monkeypatch, race=RACE, aa=(reading.EXPERIMENTS / "aa.yaml").read_text())
    for name, content in CLAIMS.items():
        state(tmp_path, claim=name, **content)
    for model in ("reactor", "thread_pool"):
        limit(cluster, model, "1")
    cluster.on_job = run_the_race
    return tmp_path


def of_arms(*names: str) -> dict[str, Any]:
    """At least twice as fast."""
    return {
        "experiment": "race",
        "statistic": {"measure": "rate_rps", "ratio": list(names)},
        "holds_if": {"at_least": 2},
    }


CODE = {"value": "ripped.code.saved_by_hand"}
CLAIMS: Mapping[str, Mapping[str, Any]] = {
    "C12": of_arms("hare", "tortoise"),
    "C13": of_arms("hare", "rival"),
    "C47": {"experiment": "styles", "kind": "counted", "statistic": CODE},
}


def limit(cluster: FakeCluster, model: str, cpu: str) -> None:
    """Of the model's pods."""
    name = f"sweetspot-{model.replace('_', '-')}"
    (container,) = cluster.objects["deployments"][name]["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"limits": {"cpu": cpu}}


def run_the_race(cluster: FakeCluster, made: Object) -> None:
    """As the shard of that Job would."""
    trial = TrialId.parse(named_by(made["metadata"]["labels"]["sweetspot.dev/trial"]))
    part = parts(1)[0]
    part["result"]["got"]["rate_rps"] *= SPEEDS[trial.arm]
    model = {"hare": "reactor", "tortoise": "thread_pool"}[trial.arm]
    cluster.keep_part(made, {**part, "trial": str(trial), "model": model}, "0")
    cluster.end_job(made)


def begin(folder: Path, *names: str, flags: Sequence[str] = ()) -> Path:
    """A run of those claims; its folder."""
    results = str(folder / "results")
    assert cli.main(["claims", *names, "--cluster", "--despite-noise", "--results", results, *flags]) == 0
    (found,) = (folder / "results").iterdir()
    return found


def words(folder: Path) -> dict[str, str]:
    return {each.claim.claim: each.verdict.word for each in judged_run.read(folder).judged}


def why(folder: Path, name: str) -> str:
    (found,) = (each.verdict.why for each in judged_run.read(folder).judged if each.claim.claim == name)
    return found


def runs(cluster: FakeCluster) -> list[str]:
    """Those that are stored in the cluster."""
    maps = cluster.objects["configmaps"].items()
    return [name for name, each in maps if each["metadata"].get("labels", {}).get("sweetspot.dev/kind") == "run"]


def test_each_experiment_is_a_run_in_the_cluster_named_by_it(cluster: FakeCluster, claims: Path) -> None:
    found = begin(claims, "C12")
    assert words(found) == {"C12": "holds"}
    (run,) = runs(cluster)
    assert run.startswith("race-2")
    described = json.loads((found / "runs" / "race" / "environment.json").read_text())
    assert described["cluster"]["run"] == run
    assert {str(trial.id) for trial in read_trials(found / "runs" / "race").trials} == {
        f"{arm}-3-{number}" for arm, number in itertools.product(("hare", "tortoise"), (1, 2, 3))
    }


def test_the_page_of_a_run_says_which_cpus_the_nodes_had(cluster: FakeCluster, claims: Path) -> None:
    cluster.nodes = ("2", "4")
    page = (begin(claims, "C12") / "claims.html").read_text(encoding="utf-8")
    assert "The nodes had 2, 4 CPUs for services, driver and backend together." in page
    assert "The load goes through the network of one cluster" in page


def test_no_model_is_compared_with_itself_as_arms_do_not_alternate_there(cluster: FakeCluster, claims: Path) -> None:
    found = begin(claims, "C12")
    assert {path.name for path in (found / "runs").iterdir()} == {"race"}


def test_what_is_counted_and_what_is_not_as_deployed_is_not_here(cluster: FakeCluster, claims: Path) -> None:
    found = begin(claims, "C12", "C13", "C47")
    assert words(found) == {"C12": "holds", "C13": "not here", "C47": "not here"}
    assert why(found, "C47") == "it is counted on one machine: run it without --cluster"
    assert why(found, "C13") == (
        "arms hare and rival use reactor with different options, but a release has one set: "
        "run one of them, or run without --cluster"
    )


@pytest.mark.parametrize(
    ("change", "lack"),
    [
        ({"cpu": "250m"}, "arm hare: reactor has a CPU limit of 250m, not 1; try: helm upgrade "),
        ({"replicas": 2}, "arm hare: reactor has 2 pods, not 1; try: helm upgrade "),
        ({"option": "poll"}, "arm hare: reactor runs with demultiplexer poll, not at its default; try: helm upgrade "),
    ],
    ids=["CPU", "pods", "an option"],
)
def test_what_an_arm_does_not_ask_for_has_to_be_as_by_default(
    change: Mapping[str, Any], lack: str, cluster: FakeCluster, claims: Path
) -> None:
    spec = cluster.objects["deployments"]["sweetspot-reactor"]["spec"]
    limit(cluster, "reactor", change.get("cpu", "1"))
    spec["replicas"] = change.get("replicas", 1)
    (container,) = spec["template"]["spec"]["containers"]
    container["env"] = [{"name": "SWEETSPOT_BACKEND", "value": "b:1"}]
    if "option" in change:
        container["env"] += [{"name": "SWEETSPOT_DEMULTIPLEXER", "value": change["option"]}]
    found = begin(claims, "C12")
    assert words(found) == {"C12": "not here"}
    assert why(found, "C12").startswith(lack)


def test_a_run_goes_on_in_the_cluster_where_it_began(cluster: FakeCluster, claims: Path) -> None:
    found = begin(claims, "C12", flags=["--rounds", "2", "--driver-cpu", "200m"])
    assert words(found) == {"C12": "not distinguishable"}
    before = runs(cluster)
    assert cli.main(["claims", "--resume", str(found), "--despite-noise"]) == 0
    assert words(found) == {"C12": "holds"}
    assert runs(cluster) == before
    (driver,) = newest(cluster)["spec"]["template"]["spec"]["containers"]
    assert driver["resources"]["limits"]["cpu"] == "200m"


def test_what_is_not_here_is_found_again_where_it_was_not_kept(cluster: FakeCluster, claims: Path) -> None:
    found = begin(claims, "C12", "C47", flags=["--rounds", "1"])
    (found / judged_run.MISSING).unlink()
    assert cli.main(["claims", "--resume", str(found), "--despite-noise"]) == 0
    assert words(found) == {"C12": "holds", "C47": "not here"}


def test_a_signal_before_the_first_trial_ends_the_run(
    cluster: FakeCluster, claims: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(running, "store_missing", interrupted)
    assert cli.main(["claims", "C12", "--cluster", "--despite-noise", "--results", str(claims / "results")]) == 130
    (found,) = (claims / "results").iterdir()
    assert not (found / "runs").exists()
    assert (found / "claims.html").exists()


def newest(cluster: FakeCluster) -> Object:
    name = [each for each in cluster.created if each.startswith("jobs/")][-1].removeprefix("jobs/")
    return cluster.objects["jobs"][name]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--shards", "2"], "--shards has no effect without --cluster"),
        (
            ["--resume", "x", "--cluster"],
            "--cluster has no effect with --resume: a run continues with its own settings",
        ),
        (["--cluster", "--release", "none"], "no models of release none in namespace lab; try: "),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_made(
    flags: Sequence[str], line: str, claims: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [] if "--resume" in flags else ["--results", str(claims / "results")]
    assert cli.main(["claims", "C12", *flags, *results]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"sweetspot: {line}")
    assert said.count("\n") == 1
    assert not (claims / "results").exists()


def test_a_run_that_has_measured_nothing_does_not_go_on_elsewhere(
    cluster: FakeCluster, claims: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = begin(claims, "C47")
    capsys.readouterr()
    assert cli.main(["claims", "--resume", str(found)]) == 2
    assert capsys.readouterr().err == f"sweetspot: {found}: holds no measurement: start another run\n"
