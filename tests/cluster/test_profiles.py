"""The proactor under the profile of k8s/seccomp: io_uring is allowed, and nothing else that the runtime denies."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import SMALL, Cluster, Release, namespace_of

pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "k8s" / "seccomp"
NAMESPACE = "sweetspot-seccomp"
URING = {"io_uring_setup", "io_uring_enter", "io_uring_register"}
PROFILE = ("type=Localhost", "localhostProfile=sweetspot/io-uring.json")
RUNTIME = "containerd://1.6."
"""Whose default io-uring.json was made from; others have others."""

ASK = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall(ctypes.c_long({number}), ctypes.c_long(-1), None, None, None, None)
print(errno.errorcode[ctypes.get_errno()])
"""
"""A system call (by its number on x86-64) with arguments that the kernel itself rejects, if the call reaches it."""
CALLS = {
    "io_uring_setup": (425, "EFAULT"),
    "keyctl": (250, "EPERM"),  # the kernel's own error would be EOPNOTSUPP
    "userfaultfd": (323, "EPERM"),  # EINVAL
    "io_uring_enter": (426, "EBADF"),
}


@pytest.fixture(scope="module")
def proactor(cluster: Cluster) -> Iterator[Release]:
    """The proactor, deployed with the profile where the profile was put on the nodes before."""
    made = Release(cluster, "ring", namespace_of("ring"))
    settings = [word for part in PROFILE for word in ("--set", f"models.proactor.seccompProfile.{part}")]
    try:
        # No pod yet, for no node has the profile: this brings the images.
        no_pod = ("--set", "models.proactor.replicas=0")
        done = cluster.deploy("deploy", *made.flags, "--models", "proactor", *SMALL, *no_pod, *settings)
        assert done.returncode == 0, done.stdout + done.stderr
        with_tag = cluster.kubectl("kustomize", str(FOLDER)).replace(":0.1.0", f":{made.tag}")
        profiles = ROOT / "build" / "profiles.yaml"
        profiles.parent.mkdir(exist_ok=True)
        profiles.write_text(with_tag)
        cluster.kubectl("apply", "--filename", str(profiles))
        cluster.kubectl("--namespace", NAMESPACE, "rollout", "status", "daemonset/profiles", "--timeout", "60s")
        done = cluster.deploy("deploy", *made.flags, "--tag", made.tag, "--models", "proactor", *SMALL, *settings)
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        cluster.deploy("undeploy", *made.flags, "--with-results")
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=120)


def test_the_proactor_serves_under_the_profile(proactor: Release) -> None:
    done = proactor.cluster.run("helm", "test", proactor.name, "--namespace", proactor.namespace, timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("number", "answer"), CALLS.values(), ids=CALLS)
def test_what_the_runtime_denies_is_denied_still(proactor: Release, number: int, answer: str) -> None:
    code = ASK.format(number=number)
    said = proactor.kubectl("exec", f"deployment/{proactor.name}-proactor", "--", "python", "-c", code)
    assert said.strip() == answer


def test_the_profile_is_the_runtimes_default_but_for_io_uring(proactor: Release) -> None:
    cluster = proactor.cluster
    node = "jsonpath={.items[0].metadata.name} {.items[0].status.nodeInfo.containerRuntimeVersion}"
    name, runtime = cluster.kubectl("get", "nodes", "--output", node).split()
    if not runtime.startswith(RUNTIME):
        pytest.skip(f"the nodes have {runtime}, and the profile was made from the default of {RUNTIME}")
    found = default_of(cluster, name, f"sweetspot/backend:{proactor.tag}")
    committed = json.loads((FOLDER / "io-uring.json").read_text())
    assert rules(committed) == rules(found)
    assert {key: committed[key] for key in committed if key != "syscalls"} == {
        key: found[key] for key in found if key != "syscalls"
    }
    assert {name for rule in committed["syscalls"] for name in rule["names"]} >= URING


def rules(profile: dict[str, Any]) -> set[tuple[str, str]]:
    """(system call, what becomes of it and when), but for io_uring."""
    return {
        (name, json.dumps({key: value for key, value in rule.items() if key != "names"}, sort_keys=True))
        for rule in profile["syscalls"]
        for name in rule["names"]
        if name not in URING
    }


def default_of(cluster: Cluster, node: str, image: str) -> dict[str, Any]:
    """What the runtime of that node gave to a container with RuntimeDefault and without capabilities.

    Two pods: one to be looked at, and one that reads the runtime's own files on that node.
    """
    folder = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
    code = f"""
import glob, json
for path in glob.glob("{folder}/*/config.json"):
    spec = json.load(open(path))
    kind = "io.kubernetes.cri."
    about = [spec["annotations"].get(kind + key) for key in ("sandbox-name", "container-type")]
    if about == ["plain", "container"]:
        print(json.dumps(spec["linux"]["seccomp"]))
"""
    restricted = {
        "runAsUser": 65532,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    wait = ["python", "-c", "import signal; signal.pause()"]
    plain = pod("plain", node, {"image": image, "command": wait, "securityContext": restricted})
    reader = pod("reader", node, {"image": image, "command": wait, "securityContext": {"runAsUser": 0}})
    reader["spec"]["containers"][0]["volumeMounts"] = [{"name": "run", "mountPath": folder}]
    reader["spec"]["volumes"] = [{"name": "run", "hostPath": {"path": folder}}]
    path = ROOT / "build" / "pods.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [plain, reader]}))
    here = ("--namespace", NAMESPACE)
    cluster.kubectl(*here, "apply", "--filename", str(path))
    try:
        cluster.kubectl(*here, "wait", "--for=condition=Ready", "pod/plain", "pod/reader", "--timeout", "60s")
        found: dict[str, Any] = json.loads(cluster.kubectl(*here, "exec", "reader", "--", "python", "-c", code))
    finally:
        cluster.kubectl(*here, "delete", "--filename", str(path), "--grace-period", "0", "--force")
    return found


def pod(name: str, node: str, container: dict[str, Any]) -> dict[str, Any]:
    container = {"name": "c", "imagePullPolicy": "IfNotPresent", **container}
    spec = {"nodeName": node, "automountServiceAccountToken": False, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
