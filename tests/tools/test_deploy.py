"""What `make deploy` says when something is in the way: what Kubernetes and helm say, and what a person reads."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.deploy.__main__ import main
from tools.deploy.images import ROOT, Image, content_tag, sources
from tools.deploy.nodes import check, loader
from tools.deploy.programs import DeployError
from tools.deploy.release import refusal
from tools.deploy.trouble import still_leaving, trouble


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


WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}
TROUBLES = {
    "ready": (pod(ready=True), None),
    "done": (pod(phase="Succeeded"), None),
    "no cores": (pod(phase="Pending", scheduled="0/2 nodes: 2 Insufficient cpu."), "defaults.cpu=100m"),
    "no node": (pod(phase="Pending", scheduled="0/2 nodes: 2 node(s) had untolerated taint"), "kubectl get nodes"),
    "no image": (pod(state={"waiting": {"reason": "ErrImagePull"}}), "no image sweetspot/reactor:1"),
    "no profile": (
        pod(state={"waiting": {"reason": "CreateContainerError", "message": "cannot load seccomp profile"}}),
        "cannot load seccomp profile",
    ),
    "ended": (pod(state=WAITING, lastState={"terminated": {"exitCode": 2}}), "ends with status 2: port in use"),
    "killed": (pod(state=WAITING, lastState={"terminated": {"reason": "OOMKilled"}}), "more than its memory"),
    "not ready": (pod(state={"running": {}}), "is Running and not ready: port in use"),
}


@pytest.mark.parametrize(("found", "says"), TROUBLES.values(), ids=TROUBLES)
def test_why_a_pod_is_not_ready_is_a_line_with_the_next_step(found: Mapping[str, Any], says: str | None) -> None:
    line = trouble(found, "port in use")
    if says is None:
        assert line is None
    else:
        assert line is not None
        assert line.startswith("pod p")
        assert says in line
        assert "; next: " in line
        assert "\n" not in line


def test_who_does_not_go_is_told_with_its_node() -> None:
    def on(node: str, name: str, **more: str) -> Mapping[str, Any]:
        return {"metadata": {"name": name, **more}, "spec": {"nodeName": node}}

    told = {"deletionTimestamp": "2026-11-24T10:00:00Z"}
    (line,) = still_leaving([on("n2", "a", **told), on("n2", "b", **told), on("n1", "stays")])
    assert line.startswith("node n2: told to go, but still there: a, b; next: kubectl describe node n2, ")


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
        "Service sweetspot-reactor in namespace n is somebody else's",
    ),
    "no right": (
        'Error: secrets is forbidden: User "me" cannot list resource "secrets" in API group "" in the namespace "n"',
        "user me may not list secrets in namespace n",
    ),
    "at work": (
        "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
        "helm rollback r --namespace n",
    ),
}


@pytest.mark.parametrize(("said", "says"), REFUSALS.values(), ids=REFUSALS)
def test_what_helm_refuses_names_the_object_and_the_next_step(said: str, says: str) -> None:
    message = refusal(said, "r", "n")
    assert message is not None
    assert says in message
    assert "next: " in message


def test_what_helm_has_begun_is_no_refusal() -> None:
    assert refusal("Error: INSTALLATION FAILED: context deadline exceeded", "r", "n") is None


LOADERS = {"kind-sweetspot": "kind", "k3d-mine": "k3d", "minikube": "minikube", "k3s": "k3s"}


@pytest.mark.parametrize(("context", "program"), LOADERS.items(), ids=LOADERS)
def test_a_cluster_of_this_machine_has_images_loaded(context: str, program: str) -> None:
    command = loader(context)
    assert command is not None
    assert command(Path("image.tar"))[0] == program


def test_a_cluster_elsewhere_needs_a_registry() -> None:
    with pytest.raises(DeployError, match="make deploy REGISTRY="):
        check("arn:aws:eks:somewhere", registry="", builder_is_given=False)
    check("arn:aws:eks:somewhere", registry="registry.example/me", builder_is_given=False)


def test_an_image_is_named_as_the_chart_names_it() -> None:
    image = Image("thread-pool", ())
    assert image.reference("", "1") == "sweetspot/thread-pool:1"
    assert image.reference("registry.example/me", "1") == "registry.example/me/sweetspot/thread-pool:1"


def test_the_version_is_the_same_wherever_it_is_said() -> None:
    said = {
        "pyproject.toml": r'^version = "(.+)"$',
        "helm/sweetspot/Chart.yaml": r'^(?:version|appVersion): "?([\d.]+)"?$',
        "Dockerfile": r"^ARG VERSION=(.+)$",
        "k8s/seccomp/kustomization.yaml": r"newTag: ([\d.]+)",
        "k8s/examples/open-loop.yaml": r"image: sweetspot/driver:(.+)$",
        "k8s/backend.yaml": r"image: sweetspot/backend:(.+)$",
        "README.md": r"--tag ([\d.]+) ",
    }
    found = {file: re.findall(pattern, (ROOT / file).read_text(), re.MULTILINE) for file, pattern in said.items()}
    assert all(found.values()), found
    assert len({version for versions in found.values() for version in versions}) == 1, found


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
    """What the programs of these names were told, a line each."""
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
