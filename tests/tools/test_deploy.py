"""Errors of `make deploy`: what Kubernetes and helm report, and what a user reads."""

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.deploy import release
from tools.deploy.__main__ import main
from tools.deploy.images import ROOT, Builder, Image, content_tag, sources
from tools.deploy.nodes import check, have, loader
from tools.deploy.programs import DeployError, ProgramError
from tools.deploy.release import KINDS, MADE_HERE, Installation, refusal
from tools.deploy.release_commands import ReleaseCommands
from tools.deploy.trouble import ready_pods, refusals, still_leaving, trouble


def pod(*, ready: bool = False, phase: str = "Running", scheduled: str = "", **container: Any) -> Mapping[str, Any]:
    """A pod named p, as the API gives it."""
    conditions = [
        {"type": "Ready", "status": str(ready)},
        {"type": "PodScheduled", "status": "False" if scheduled else "True", "message": scheduled},
    ]
    containers = [{"image": "sweetspot/reactor:1", "ready": ready, "state": {}, "lastState": {}} | container]
    return {
        "metadata": {"name": "p"},
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": containers},
    }


BIG = ReleaseCommands("big", "lab", "kind-mine")
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}
TROUBLES = {
    "ready": (pod(ready=True), None),
    "done": (pod(phase="Succeeded"), None),
    "no cores": (pod(phase="Pending", scheduled="0/2 nodes: 2 Insufficient cpu."), "defaults.cpu=100m"),
    "no node": (pod(phase="Pending", scheduled="0/2 nodes: 2 node(s) had untolerated taint"), "get nodes"),
    "no image": (pod(state={"waiting": {"reason": "ErrImagePull"}}), "no image sweetspot/reactor:1"),
    "no profile": (
        pod(state={"waiting": {"reason": "CreateContainerError", "message": "cannot load seccomp profile"}}),
        "cannot load seccomp profile",
    ),
    "ended": (pod(state=WAITING, lastState={"terminated": {"exitCode": 2}}), "ended with status 2: port in use"),
    "killed": (pod(state=WAITING, lastState={"terminated": {"reason": "OOMKilled"}}), "exceeded its memory limit"),
    "not ready": (pod(state={"running": {}}), "is Running and not ready: port in use"),
}


def assert_whole(message: str) -> None:
    """Each command of kubectl, helm and make in it names the release's cluster and namespace, and make the release."""
    shown = r"helm (?!show|:)|kubectl |make (?:un)?deploy "
    for command in re.findall(rf"(?:^|[ :])(?:{shown})[^;,]*", message):
        assert re.search(
            r"--(kube-)?context kind-mine --namespace (lab|another)"
            r"|RELEASE=(big NAMESPACE=(lab|another)|another NAMESPACE=lab) CONTEXT=kind-mine",
            command,
        ), command


@pytest.mark.parametrize(("found", "says"), TROUBLES.values(), ids=TROUBLES)
def test_why_a_pod_is_not_ready_is_a_line_with_the_next_step(found: Mapping[str, Any], says: str | None) -> None:
    line = trouble(found, "port in use", BIG)
    if says is None:
        assert line is None
    else:
        assert line is not None
        assert line.startswith("pod p")
        assert says in line
        assert "; next: " in line
        assert "\n" not in line
        assert_whole(line)


def test_who_does_not_go_is_told_with_its_node() -> None:
    def on(node: str, name: str, **more: str) -> Mapping[str, Any]:
        return {"metadata": {"name": name, **more}, "spec": {"nodeName": node}}

    told = {"deletionTimestamp": "2026-11-24T10:00:00Z"}
    (line,) = still_leaving([on("n2", "a", **told), on("n2", "b", **told), on("n1", "stays")], BIG)
    assert line.startswith(
        "node n2: ordered to delete these pods, but they remain: a, b; next: kubectl --context kind-mine "
    )
    assert line.endswith(UNDEPLOY)
    assert_whole(line)


REFUSALS = {
    "values": (
        "Error: values don't meet the specifications of the schema(s) in the following chart(s):\n"
        "sweetspot:\n- at '/defaults/replicas': minimum: got -1, want 0\n",
        "values: at '/defaults/replicas': minimum",
    ),
    "the chart's own": (
        "Error: execution error at (sweetspot/templates/models.yaml:3:4): autoscaling of reactor: no\n",
        "values: autoscaling of reactor",
    ),
    "somebody else's": (
        'Error: unable to continue with install: Service "sweetspot-reactor" in namespace "n" exists and cannot be '
        "imported into the current release: invalid ownership metadata",
        "Service sweetspot-reactor in namespace lab belongs to another release",
    ),
    "no right": (
        'Error: secrets is forbidden: User "me" cannot list resource "secrets" in API group "" in the namespace "n"',
        "user me may not list secrets in namespace lab",
    ),
    "at work": (
        "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
        "helm --kube-context kind-mine --namespace lab rollback big",
    ),
}


@pytest.mark.parametrize(("said", "says"), REFUSALS.values(), ids=REFUSALS)
def test_what_helm_refuses_names_the_object_and_the_next_step(said: str, says: str) -> None:
    message = refusal(said, BIG)
    assert message is not None
    assert says in message
    assert "next: " in message
    assert_whole(message)


def test_what_helm_has_begun_is_no_refusal() -> None:
    assert refusal("Error: INSTALLATION FAILED: context deadline exceeded", BIG) is None


LOADERS = {"kind-sweetspot": "kind", "k3d-mine": "k3d", "minikube": "minikube", "k3s": "k3s"}


@pytest.mark.parametrize(("context", "program"), LOADERS.items(), ids=LOADERS)
def test_a_cluster_of_this_machine_has_images_loaded(context: str, program: str) -> None:
    command = loader(context)
    assert command is not None
    assert command(Path("image.tar"))[0] == program


def test_a_cluster_elsewhere_needs_a_registry() -> None:
    with pytest.raises(DeployError, match="make deploy RELEASE=big REGISTRY="):
        check("arn:aws:eks:somewhere", "", builder_is_given=False, command="make deploy RELEASE=big")
    check("arn:aws:eks:somewhere", "registry.example/me", builder_is_given=False, command="")


def test_an_image_is_named_as_the_chart_names_it() -> None:
    image = Image("thread-pool", "service", model="thread_pool")
    assert image.reference("", "1") == "sweetspot/thread-pool:1"
    assert image.reference("registry.example/me", "1") == "registry.example/me/sweetspot/thread-pool:1"


def test_an_image_is_built_with_its_model_and_with_the_extras_that_this_needs() -> None:
    image = Image("green-threads", "service", ("green",), "green_threads")
    model, extras = ("--build-arg", "MODEL=green_threads"), ("--build-arg", "EXTRAS=green")
    assert image.options == ("--target", "service", *model, *extras)
    assert Image("backend", "backend").options == ("--target", "backend")


def test_the_tag_is_of_the_content_alone() -> None:
    assert content_tag() == content_tag()
    assert len(content_tag()) == 12


def test_the_tag_is_of_all_that_goes_into_an_image() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    patterns = [pattern for line in copied for pattern in line.split()]
    files = {
        file
        for path in (path for pattern in patterns for path in ROOT.glob(pattern))
        for file in [path, *path.rglob("*")]
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert ROOT / "tools" / "cluster" / "shard.py" in files
    assert files <= set(sources())


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands that the programs of these names got, a line each."""
    told = tmp_path / "told"
    for name in ("buildah", "kubectl", "helm", "kind"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $@" >> {told}\n[ "$2" != current-context ] || echo kind-mine\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("IMAGE_BUILD", raising=False)
    monkeypatch.setattr("tools.deploy.images.BUILDERS", {"buildah": ("buildah", "version")})
    return told


def test_images_for_a_registry_are_built_and_pushed_by_whoever_is_there(told: Path) -> None:
    assert main(["images", "--models", "reactor", "--registry", "r.example/me", "--tag", "1"]) == 0
    version, *lines = [line.split()[1:] for line in told.read_text().splitlines()]
    names = [f"r.example/me/sweetspot/{name}:1" for name in ("backend", "driver", "conformance", "reactor")]
    assert version == ["version"]
    assert [words[0] for words in lines] == ["build"] * 4 + ["push"] * 4
    assert [word for words in lines for word in words if word.startswith("r.example/")] == names * 2


def test_images_are_loaded_into_the_cluster_of_this_machine_where_that_is_asked(told: Path) -> None:
    assert main(["images", "--models", "reactor", "--tag", "1", "--load"]) == 0
    loaded = [line for line in told.read_text().splitlines() if line.startswith("kind load image-archive ")]
    assert len(loaded) == len(("backend", "driver", "conformance", "reactor"))
    assert all(line.endswith(" --name mine") for line in loaded)


RUN, LEFT = "configmap/run-1", "poddisruptionbudget.policy/big-reactor"


class FakeCluster:
    """kubectl and helm of a namespace that `deploy` has made. `stuck` are objects that no deletion removes."""

    def __init__(self, *objects: str, stuck: str = "", helm_fails_with: str = "") -> None:
        self.objects = {"secret/release", "deployment.apps/big-reactor", *objects}
        self.stuck, self.helm_fails_with = stuck, helm_fails_with

    def __call__(self, *command: str, timeout_s: float = 0) -> str:
        """In the place of tools.deploy.programs.ask."""
        words, shown = [word for word in command if not word.startswith("-")], ""
        match words[0], words[1 if "config" in words else 3 :]:
            case _, ["config", "current-context"]:
                shown = "kind-mine"
            case _, ["get", "namespace", *_]:
                shown = json.dumps({"metadata": {"labels": {MADE_HERE: "deploy"}}})
            case _, ["get", "pods", *_, "json"]:
                shown = json.dumps({"items": [pod(state={"running": {}}, restartCount=0)]})
            case _, ["logs", *_]:
                shown = "port in use"
            case _, ["get", kinds, *selector, "name"]:
                every = self.objects - ({"secret/release"} if selector else set())
                every -= {RUN} if "!" in "".join(selector) else set()
                shown = "\n".join(
                    {"configmaps": self.objects & {RUN}, "secrets": self.objects - every}.get(kinds, every)
                )
            case _, ["delete", "configmaps", *_]:
                self.objects.discard(RUN)
            case _, ["delete", "namespace", *_]:
                self.objects.clear()
            case "helm", ["uninstall", *_]:
                self.objects &= {RUN, self.stuck}
            case "helm", ["upgrade", *_]:
                raise ProgramError(command, self.helm_fails_with)
        return shown


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeCluster], None]:
    """Puts a fake cluster in the place of programs."""
    monkeypatch.setattr("tools.deploy.release.need", lambda *_: None)
    monkeypatch.setattr("tools.deploy.release.GONE_TIMEOUT_S", 0)

    def put(fake: FakeCluster) -> None:
        for module in ("release_commands", "release"):
            monkeypatch.setattr(f"tools.deploy.{module}.ask", fake)

    return put


FLAGS = ("--release", "big", "--namespace", "lab")
UNDEPLOY = "make undeploy RELEASE=big NAMESPACE=lab CONTEXT=kind-mine"


def test_results_stay_unless_their_removal_is_asked_for(
    asked: Callable[[FakeCluster], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeCluster(RUN)
    asked(fake)
    assert main(["undeploy", *FLAGS]) == 0
    said = capsys.readouterr().out
    assert fake.objects == {RUN}
    assert "results remain: 1 ConfigMaps" in said
    assert f"{UNDEPLOY} ARGS=--with-results" in said
    assert "namespace lab stays, for it holds results" in said
    assert main(["undeploy", *FLAGS, "--with-results"]) == 0
    assert not fake.objects
    said = capsys.readouterr().out
    assert "there is no release big" in said
    assert "namespace lab is removed" in said


def test_what_is_left_of_a_release_is_named_and_is_no_success(
    asked: Callable[[FakeCluster], None], capsys: pytest.CaptureFixture[str]
) -> None:
    asked(FakeCluster(LEFT, stuck=LEFT))
    assert main(["undeploy", *FLAGS]) == 2
    said, failed = capsys.readouterr()
    assert not said
    assert f"remain in namespace lab of kind-mine: {LEFT}; next: kubectl --context kind-mine" in failed
    assert_whole(failed)


def test_a_release_that_is_not_there_is_not_said_to_be_removed(
    asked: Callable[[FakeCluster], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeCluster()
    fake.objects.clear()
    asked(fake)
    assert main(["undeploy", *FLAGS]) == 0
    assert "there is no release big in namespace lab of kind-mine" in capsys.readouterr().out


def test_a_deploy_that_fails_shows_what_helm_says_and_which_pods_are_not_ready(
    asked: Callable[[FakeCluster], None], capsys: pytest.CaptureFixture[str]
) -> None:
    conflict = 'UPGRADE FAILED: conflict with "sweetspot": .spec.replicas\nresource not ready: Deployment/lab/big-seda'
    asked(FakeCluster(helm_fails_with=f"level=WARN msg=slow\nError: {conflict}\n"))
    assert main(["deploy", *FLAGS, "--tag", "1", "--models", "reactor"]) == 2
    failed = capsys.readouterr().err
    assert f"helm: {conflict}" in failed
    assert "pod p is Running and not ready: port in use" in failed
    assert UNDEPLOY in failed
    assert_whole(failed)


def test_every_kind_that_the_chart_makes_is_looked_for_when_it_is_removed() -> None:
    goldens = (ROOT / "tests" / "chart" / "goldens").glob("*.yaml")
    made = {kind.lower() for file in goldens for kind in re.findall(r"^kind: (\w+)$", file.read_text(), re.MULTILINE)}
    looked_for = re.sub(r"ies\b", "y", KINDS).split(",")
    assert made <= {kind.removesuffix("s") for kind in looked_for}


def deployment(ready: int, failure: str = "", generation: int = 2) -> dict[str, Any]:
    """One of three replicas, as the API gives it."""
    conditions = [{"type": "ReplicaFailure", "status": "True", "message": failure}] if failure else []
    status = {"observedGeneration": 2, "updatedReplicas": 3, "readyReplicas": ready, "conditions": conditions}
    return {"metadata": {"name": "d", "generation": generation}, "spec": {"replicas": 3}, "status": status}


def test_pods_are_ready_once_those_of_the_new_release_are() -> None:
    assert ready_pods([deployment(3), deployment(1)]) == "waiting for pods: 4 of 6 are ready"
    assert ready_pods([deployment(3, generation=3)]) == "waiting for pods: 0 of 3 are ready"
    assert ready_pods([]) == ""


def test_pods_without_a_node_are_one_line_and_refused_ones_are_named_with_their_quota() -> None:
    no_cores = "0/2 nodes: 2 Insufficient cpu."
    waiting = [{**pod(phase="Pending", scheduled=no_cores), "metadata": {"name": name}} for name in ("a", "b", "c")]
    pending, refused = refusals([*waiting, pod()], [deployment(3), deployment(0, "exceeded quota: small")], BIG)
    assert pending.startswith(f"pods a and 2 more are Pending: {no_cores}; next: request less, as make deploy ")
    assert refused.startswith("deployment d gets no pod: exceeded quota: small; next: request less, as make deploy ")


NODE: dict[str, Any] = {
    "metadata": {"name": "n1"},
    "status": {
        "allocatable": {"cpu": "2", "memory": "8Gi"},
        "images": [{"names": [f"docker.io/sweetspot/{name}:{content_tag()}"]} for name in ("backend", "conformance")],
    },
}


def test_images_that_every_node_has_are_not_built_again(
    told: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks = {**NODE, "status": {**NODE["status"], "images": NODE["status"]["images"][:1]}}
    assert have([NODE, lacks]) == {f"sweetspot/backend:{content_tag()}"}
    monkeypatch.setattr(Installation, "nodes", lambda _: [NODE])
    monkeypatch.setattr(Builder, "has", lambda _, reference: reference.startswith("sweetspot/driver:"))
    assert main(["deploy", "--models", "reactor", "--release", "big"]) == 0
    said = capsys.readouterr().out
    commands = told.read_text().splitlines()
    (built,) = (line for line in commands if line.startswith("buildah build"))
    assert f"sweetspot/reactor:{content_tag()}" in built
    loaded = [line for line in commands if line.startswith("kind load")]
    assert len(loaded) == len(("driver", "reactor"))
    assert said.splitlines()[:4] == [
        "checking the cluster of context kind-mine and the values of the chart",
        "2 of 4 images are unchanged and on every node",
        f"image 1 of 2: sweetspot/driver:{content_tag()} is unchanged and built",
        f"building image 2 of 2: sweetspot/reactor:{content_tag()}",
    ]


def test_the_time_that_is_left_is_estimated_from_the_images_that_were_built(
    told: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter((0.0, 10.0, 20.0, 30.0))
    monkeypatch.setattr("tools.deploy.images.time.monotonic", lambda: next(clock))
    assert main(["images", "--models", "reactor", "--tag", "1"]) == 0
    assert told.exists()
    estimates = [line.partition(", ")[2] for line in capsys.readouterr().out.splitlines() if "building" in line]
    assert estimates == ["", "about 30 s left", "about 20 s left", "about 10 s left"]


CHART = """
kind: Deployment
spec: {replicas: 9, template: {spec: {containers: [{resources: {requests: {cpu: 250m, memory: 1Mi}}}]}}}
---
kind: Service
---
"""


def test_pods_that_no_node_has_room_for_are_said_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods of the release itself make room; those of others do not."""
    where = Installation("big", "lab", "kind-mine")
    labels = {"app.kubernetes.io/name": "sweetspot", "app.kubernetes.io/instance": "big"}
    spec = {"nodeName": "n1", "containers": [{"resources": {"requests": {"cpu": "1"}}}]}

    def listed(*what: str) -> list[dict[str, Any]]:
        pods = [
            {"metadata": {"namespace": namespace, "labels": labels}, "spec": spec, "status": {"phase": "Running"}}
            for namespace in ("lab", "other")
        ]
        return [NODE] if what == ("nodes",) else pods

    monkeypatch.setattr(Installation, "_items", lambda _, *what: listed(*what))
    said = where.lacking_room(CHART)
    assert said.startswith("warning: 5 of 9 pods may not fit: together they request 2.25 CPUs and 0.0 GiB, but only 1 ")
    assert (
        '; continuing; next: request less, as make deploy RELEASE=big NAMESPACE=lab CONTEXT=kind-mine ARGS="--s' in said
    )
    assert where.lacking_room(CHART.replace("replicas: 9", "replicas: 4")) == ""


def test_deploy_prints_that_pods_have_no_room_before_it_builds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release, "reachable_context", lambda _: "elsewhere")  # it needs a registry: nothing is built
    monkeypatch.setattr(release, "check_permission", lambda _: None)
    monkeypatch.setattr(Installation, "check_values", lambda *_: CHART)
    monkeypatch.setattr(Installation, "_items", lambda _, *what: [NODE] if what == ("nodes",) else [])
    assert main(["deploy", "--models", "reactor"]) == 2
    said = capsys.readouterr()
    assert "warning: 1 of 9 pods may not fit" in said.out
    assert "registry" in said.err


def test_a_node_that_the_pods_of_the_chart_tolerate_has_room_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    where = Installation("big", "lab", "kind-mine")
    tainted = {**NODE, "spec": {"taints": [{"key": "measured", "effect": "NoSchedule"}]}}
    monkeypatch.setattr(Installation, "_items", lambda _, *what: [tainted] if what == ("nodes",) else [])
    chart = CHART.replace("replicas: 9", "replicas: 4")
    assert "4 of 4 pods may not fit" in where.lacking_room(chart)
    assert where.lacking_room(chart.replace("containers:", "tolerations: [{operator: Exists}], containers:")) == ""


def test_what_helm_waits_for_is_said_meanwhile_and_fields_of_others_are_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where, said, shown = Installation("big", "lab", "kind-mine"), list[str](), threading.Event()
    asked: list[tuple[str, ...]] = []

    def helm(_: Installation, *words: str, timeout_s: float) -> str:
        asked.append(words)
        if "--force-conflicts" not in words:
            raise ProgramError(words, 'Error: Apply failed with 1 conflict: conflict with "sweetspot": .spec.replicas')
        assert shown.wait(10)
        return ""

    def say(line: str) -> None:
        said.append(line)
        if "waiting" in line:
            shown.set()

    monkeypatch.setattr("tools.deploy.release._LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(Installation, "_make_namespace", lambda _: None)
    monkeypatch.setattr(Installation, "_items", lambda _, *what: [deployment(1)] if what[0] == "deployments" else [])
    monkeypatch.setattr(Installation, "helm", helm)
    where.install((), 5, say)
    assert said == [
        "installing release big in namespace lab",
        "helm takes over fields that other programs changed",
        "waiting for pods: 1 of 3 are ready",
    ]
    assert len(asked) == 2


@pytest.mark.parametrize(("current", "first"), [("kind-mine", "sweetspot run"), ("", "kubectl config use-context")])
def test_the_next_commands_are_for_the_context_that_was_deployed_to(
    current: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.deploy.release.current_context", lambda: current)
    monkeypatch.setattr(Installation, "helm", lambda *_: "NOTES:\n  sweetspot run default --cluster\n")
    commands = Installation("big", "lab", "kind-mine").notes().splitlines()
    assert commands[0].strip().startswith(first)
    assert commands[-1] == "  sweetspot run default --cluster"


def test_what_the_dockerfile_copies_is_let_through_to_the_build() -> None:
    given = [file.relative_to(ROOT) for file in sources()]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    wanted = [pattern for line in copied for pattern in line.split()]
    assert [each for each in wanted if not any(file.match(each) or file.is_relative_to(each) for file in given)] == []


def test_the_drivers_image_has_of_the_tools_what_its_pod_imports_and_starts(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (step,) = re.findall(r'^RUN (python -c ".+?")$', (ROOT / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL)
    step = step.replace("\\\n", "").replace("['/']", f"['{tmp_path}']").replace("'/tools'", f"'{tmp_path}/tools'")
    subprocess.run(["sh", "-c", step.replace("python", sys.executable, 1)], check=True, timeout=60)
    left = {str(path.relative_to(tmp_path)) for path in (tmp_path / "tools").rglob("*.py")}
    code = (
        "import sys, tools.cluster.shard; print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('tools')))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    imported = {str(Path(file).relative_to(ROOT)) for file in told.stdout.split()}
    by_path = {
        str(Path(file).with_name(name))
        for file in imported
        for name in re.findall(r'with_name\("(\w+\.py)"\)', (ROOT / file).read_text(encoding="utf-8"))
    }
    assert "tools/orphan_guard.py" in by_path
    assert imported | by_path <= left & {str(file.relative_to(ROOT)) for file in sources()}
    assert len(left) <= len(imported | by_path) + 3, "what a function imports later may be there too"
