"""Without helm: the plain manifests of k8s/ applied as they are, load Jobs applied by hand, and all of it deleted."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from services.models import MODELS
from tests.cluster.conftest import Release, namespace_of
from tests.cluster.runs import sweetspot
from tools.cluster.examples import EXAMPLES
from tools.cluster.job import job_name
from tools.deploy.images import ROOT, images
from tools.trial_specs import only

TAG = "0.1.0"
"""Of the images, as the manifests have it."""


def beside_others(folder: Path, namespace: str, tag: str) -> Path:
    """The manifests with images that are there, in a namespace of their own, asking for less CPU than they may use."""
    changes = {
        "Deployment": ("/spec/template/spec/containers/0/resources/requests/cpu", "10m"),
        "RoleBinding": ("/subjects/0/namespace", namespace),
    }
    overlay = {
        "namespace": namespace,
        "resources": [os.path.relpath(ROOT / "k8s", folder.resolve())],
        "images": [{"name": f"sweetspot/{image.name}", "newTag": tag} for image in images(MODELS)],
        "patches": [
            {"target": {"kind": kind}, "patch": yaml.safe_dump([{"op": "replace", "path": path, "value": value}])}
            for kind, (path, value) in changes.items()
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return folder


@pytest.fixture
def plain(everything: Release, tmp_path: Path) -> Iterator[Release]:
    made = Release(everything.cluster, "sweetspot", namespace_of("plain"))
    folder = str(beside_others(tmp_path, made.namespace, everything.tag))
    made.cluster.kubectl("apply", "--kustomize", folder)
    yield made
    made.cluster.kubectl("delete", "--kustomize", folder, timeout_s=180)
    assert not made.cluster.kubectl("get", "namespace", made.namespace, "--ignore-not-found")


@pytest.mark.timeout(600)
def test_without_helm_every_model_is_ready_and_jobs_of_their_own_show_a_table(plain: Release, tmp_path: Path) -> None:
    ready = ("--for=condition=Available", "--timeout=180s")
    waited = plain.kubectl("wait", "deployment", "--all", *ready, timeout_s=200)
    assert waited.count("condition met") == len(MODELS) + len(("backend", "jaeger"))
    for name, example in EXAMPLES.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(example.text(name).replace(f":{TAG}", f":{plain.tag}").replace("500m", "100m"))
        plain.kubectl("apply", "--filename", str(path))
        job = job_name(name, only(example.asked).id)
        plain.kubectl("wait", f"job/{job}", "--for=condition=Complete", "--timeout=120s", timeout_s=150)
        log = plain.kubectl("logs", f"--selector=batch.kubernetes.io/job-name={job}", "--tail=-1")
        assert log.count("asked          got") == log.count(" calls planned: ") == example.shards
        pulled = sweetspot(plain, "results", "pull", name, *plain.flags, "--results", str(tmp_path))
        assert pulled.returncode == 0, pulled.stderr
        assert (tmp_path / name / "report.html").exists()
