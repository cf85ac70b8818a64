"""The chart rendered by helm, for tests: as text, and as objects of Kubernetes."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import yaml

from services.models import MODELS

CHART = Path(__file__).parents[2] / "helm" / "sweetspot"

needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on the PATH")

Object = Mapping[str, Any]


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False, timeout=60)


def render(*settings: str, only: Iterable[str] = MODELS) -> str:
    """The manifests of release `sweetspot`, with `--set-json` settings, for these models only."""
    others = [f"models.{model}.enabled=false" for model in MODELS if model not in set(only)]
    flags = [flag for setting in (*others, *settings) for flag in ("--set-json", setting)]
    done = helm("template", "sweetspot", str(CHART), "--namespace", "sweetspot", *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def render_values(values: Mapping[str, Any], release: str, namespace: str = "sweetspot") -> str:
    """The manifests with these values in a file, whose numbers helm reads as floats."""
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(values, file)  # which is YAML, with every text in quotes
        file.flush()
        done = helm("template", release, str(CHART), "--namespace", namespace, "--values", file.name)
    assert done.returncode == 0, done.stderr
    return done.stdout


# All models are 200 kB of YAML, which many tests look at: 0.5 s each time, 10 times as much without libyaml.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=4)
def objects(text: str) -> tuple[Object, ...]:
    return tuple(document for document in yaml.load_all(text, LOADER) if document)


def of_kind(text: str, kind: str) -> dict[str, Object]:
    """Objects by name."""
    return {found["metadata"]["name"]: found for found in objects(text) if found["kind"] == kind}


def pod_specs(text: str) -> dict[str, Object]:
    """What pods are made from, by the name of what makes them."""
    return {
        f"{found['kind']}/{found['metadata']['name']}": found["spec"]["template"]["spec"]
        if "template" in found["spec"]
        else found["spec"]
        for found in objects(text)
        if found["kind"] in {"Deployment", "Job", "Pod"}
    }
