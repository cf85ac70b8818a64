"""The suite asked of a service that somebody else has started, as a pod asks it."""

import subprocess
import sys

from tests.serving import serving


def suite(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_a_model_passes_and_the_backend_does_not() -> None:
    with serving("backend") as backend, serving("reactor", "--backend", backend.address) as service:
        passed = suite(f"reactor={service.address}")
        assert passed.returncode == 0, passed.stdout + passed.stderr
        assert " passed" in passed.stdout
        assert suite(f"reactor={backend.address}").returncode == 1
        assert suite("--must-fail", f"reactor={backend.address}").returncode == 0
        assert suite("--must-fail", f"reactor={service.address}").returncode == 1
