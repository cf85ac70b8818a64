"""The suite asked of a service that was started elsewhere, with the files that its image has and no others."""

import os
import re
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import serving

ROOT = Path(__file__).parents[2]
COPIED = re.compile(r"^COPY ((?:tests|tools)/\S+) (\S+)$", re.MULTILINE)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the Dockerfile copies into the image of the suite."""
    stage = (ROOT / "Dockerfile").read_text(encoding="utf-8").partition(" AS conformance\n")[2].partition("\nFROM ")[0]
    for folder in (ROOT / "services", ROOT / "protos" / "sweetspot"):
        shutil.copytree(folder, tmp_path / folder.name)
    for source, target in COPIED.findall(stage):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target)
        else:
            (tmp_path / target).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / target)
    return tmp_path


def suite(image: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # Without `site` (-S) the .pth file of the checkout, which makes every module importable, is not read.
    command = [sys.executable, "-S", "-m", "tests.conformance", *arguments]
    environ = {"PYTHONPATH": os.pathsep.join((str(image), *site.getsitepackages()))}
    return subprocess.run(command, cwd=image, env=environ, capture_output=True, text=True, timeout=100, check=False)


def test_a_model_passes_and_the_backend_does_not(image: Path) -> None:
    with serving("backend") as backend, serving("reactor", "--backend", backend.address) as service:
        passed = suite(image, f"reactor={service.address}")
        assert passed.returncode == 0, passed.stdout + passed.stderr
        assert " passed" in passed.stdout
        assert suite(image, f"reactor={backend.address}").returncode == 1
        assert suite(image, "--must-fail", f"reactor={backend.address}").returncode == 0
        assert suite(image, "--must-fail", f"reactor={service.address}").returncode == 1
