"""A skip that is not expected fails in CI, and in CI alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SKIPPED = """
import pytest

def test_one():
    pytest.skip("a connection that is held up holds up others in this model: test_at_once.py")

@pytest.mark.skipif(True, reason="a dog ate what it needs")
def test_another(): ...
"""


@pytest.mark.parametrize(("ci", "ended"), [("", "2 skipped"), ("true", "1 skipped, 1 error")], ids=["here", "CI"])
def test_a_skip_that_is_not_listed_fails_in_ci_alone(ci: str, ended: str, tmp_path: Path) -> None:
    (tmp_path / "test_skipped.py").write_text(SKIPPED)
    command = [sys.executable, "-m", "pytest", "-p", "tests.expected_skips", f"--rootdir={tmp_path}", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"CI": ci}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended in done.stdout.splitlines()[-1]
    assert ("a dog ate what it needs" in done.stdout) == bool(ci)
