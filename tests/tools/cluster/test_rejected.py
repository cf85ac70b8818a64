"""What prevents a run in a cluster: each cause is reported in one line, before anything is started."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.cluster.runs import only, run
from tests.tools.fake_cluster import FakeCluster, kubeconfig
from tools import cli
from tools.cluster.api import Api
from tools.cluster.release import Release
from tools.results import read_trials


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
    assert {"configmaps": f"{only(tmp_path)} remains", "jobs": f"run --resume {only(tmp_path)}"}[kind] in said
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
    "a model in two ways": (
        "arms: {plain: {model: reactor}, poll: {model: reactor, options: {demultiplexer: poll}}}",
        "arms plain and poll use reactor with different options, but a release has one set: run one of them, or",
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
    "an action": (
        "models: [reactor]\nactions: [{at_s: 0.1, kill: worker}]",
        "load.actions are not supported in a cluster: remove them, or run without --cluster",
    ),
    "another client": (
        "models: [reactor]\nclient: h2load",
        "client h2load runs on this machine only: remove client, or run without --cluster",
    ),
    "a reference server": (
        "client: h2load\narms: {bare: {server: nghttpd}}",
        "arm bare: nghttpd runs on this machine only: run without --cluster",
    ),
    "a file of times": (
        "models: [reactor]\nschedule: replay:times.txt",
        "load.schedule 'replay:times.txt' is a file, but a driver's pod has no such file: set another schedule",
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
    assert "create one with `make cluster`" in said
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
