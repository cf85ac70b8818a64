"""Traces in files survive Jaeger's process and its pod. Jaeger's user may write nowhere else."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import SMALL, Release, namespace_of
from tests.cluster.runs import only, run, sweetspot, trials, until

CLAIM = "traces"
VOLUME = namespace_of("traces")
FOLDER = f"/var/lib/{VOLUME}"
"""What a storage class would make: a volume that is a folder of a node, and root's."""
END = """
import os, signal
print(os.getuid(), *sorted(os.listdir("/proc/1/root/var/lib/jaeger")))
os.kill(1, signal.SIGTERM)
"""
"""Beside Jaeger, whose image has no program but its own: asks its process to end."""


@pytest.fixture
def kept(release: Release) -> Iterator[Release]:
    """A release to be, in a namespace of its own that has a claim."""
    cluster = release.cluster
    made = Release(cluster, "kept", namespace_of("kept"))
    node = cluster.kubectl("get", "nodes", "--output=name").split()[0].removeprefix("node/")
    cluster.kubectl("create", "namespace", made.namespace)
    try:
        as_root(made, "maker", node, release.tag, f"import os; os.makedirs('/node{FOLDER}')")
        cluster.apply(made.namespace, *volume_and_claim(node))
        yield made
    finally:
        cluster.deploy("undeploy", *made.flags, "--with-results")
        as_root(made, "remover", node, release.tag, f"import shutil; shutil.rmtree('/node{FOLDER}')")
        cluster.kubectl("delete", "namespace", made.namespace, timeout_s=90)
        cluster.kubectl("delete", "persistentvolume", VOLUME)


def as_root(made: Release, name: str, node: str, tag: str, code: str) -> None:
    """Runs Python on a node, whose /var/lib is /node/var/lib."""
    container = {
        "name": name,
        "image": f"sweetspot/backend:{tag}",
        "command": ["python", "-c", code],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "node", "mountPath": "/node/var/lib"}],
    }
    spec = {
        "nodeName": node,
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "node", "hostPath": {"path": "/var/lib"}}],
    }
    made.cluster.apply(made.namespace, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    made.kubectl("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", timeout_s=90)


def volume_and_claim(node: str) -> list[dict[str, Any]]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    common = {"storageClassName": "", "accessModes": ["ReadWriteOnce"]}
    volume = {
        **common,
        "capacity": {"storage": "2Gi"},
        "persistentVolumeReclaimPolicy": "Retain",
        "local": {"path": FOLDER},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
    }
    claim = {**common, "volumeName": VOLUME, "resources": {"requests": {"storage": "2Gi"}}}
    return [
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        for kind, name, spec in (("PersistentVolume", VOLUME, volume), ("PersistentVolumeClaim", CLAIM, claim))
    ]


def end_jaeger(made: Release) -> None:
    """Its process, not its pod, until it is back."""
    here = ("--selector", "app.kubernetes.io/component=jaeger", "--output", "jsonpath={.items[0].metadata.name}")
    name = made.kubectl("get", "pods", *here)
    image = ("--image", f"sweetspot/backend:{made.tag}", "--image-pull-policy", "IfNotPresent")
    beside = ("--target", "jaeger", "--profile", "restricted", "--container", "ender")
    made.kubectl("debug", name, *image, *beside, "--", "python", "-c", END)
    until(lambda: made.log(name, "--container", "ender"))
    assert made.log(name, "--container", "ender").split() == ["65532", "keys", "values"]
    until(lambda: restarted(made, name), timeout_s=60)


def restarted(made: Release, name: str) -> bool:
    """Whether its container is ready for the second time."""
    (container,) = json.loads(made.kubectl("get", "pod", name, "--output", "json"))["status"]["containerStatuses"]
    return container["restartCount"] == 1 and bool(container["ready"])


def replace_jaeger(made: Release) -> None:
    """Its pod."""
    jaeger = f"deployment/{made.name}-jaeger"
    made.kubectl("rollout", "restart", jaeger)
    made.kubectl("rollout", "status", jaeger, "--timeout=90s", timeout_s=120)


def answers(made: Release) -> bool:
    """Whether its Service leads to Jaeger: it does so some time after the pod is ready."""
    path = f"/api/v1/namespaces/{made.namespace}/services/{made.name}-jaeger:16686/proxy/api/v3/services"
    return made.cluster.run("kubectl", "get", "--raw", path).returncode == 0


ENDS = {
    "a folder of the pod, and the process ends": ("", end_jaeger),
    "a claim, and the pod goes": (CLAIM, replace_jaeger),
}


@pytest.mark.parametrize(("claim", "end"), ENDS.values(), ids=ENDS)
@pytest.mark.timeout(900)
def test_what_was_traced_is_there_when_jaeger_has_been_started_again(
    claim: str, end: Callable[[Release], None], release: Release, kept: Release, tmp_path: Path
) -> None:
    storage = ("--set", "jaeger.storage=badger", "--set", f"jaeger.badger.claim={claim}")
    done = kept.cluster.deploy("deploy", *kept.flags, "--tag", release.tag, "--models", "reactor", *SMALL, *storage)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(kept, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = only(tmp_path)
    assert sum(counts["exported"] for trial in trials(folder) for counts in trial.spans.values()) > 0
    before = sweetspot(kept, "traces", str(folder))
    assert before.returncode == 0, before.stdout + before.stderr
    end(kept)
    until(lambda: answers(kept))
    after = sweetspot(kept, "traces", str(folder))
    assert after.returncode == 0, after.stdout + after.stderr
    assert after.stdout == before.stdout
