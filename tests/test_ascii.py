"""Every command prints under a locale that is ASCII, and what it prints is read there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.driver.fake_service import Act, FakeService
from tests.tools import sample

COMMANDS = {
    "services --list": ("-m", "services", "--list"),
    "services --help": ("-m", "services", "reactor", "--help"),
    "the driver's --help": ("-m", "services.driver", "--help"),
    "sweetspot --help": ("-m", "tools.cli", "--help"),
    "sweetspot run --help": ("-m", "tools.cli", "run", "--help"),
    "deploy --help": ("-m", "tools.deploy", "--help"),
    "bench --help": ("-m", "tools.bench", "--help"),
    "a table": ("-m", "tools.cli", "report", "{folder}"),
    "a run": ("-m", "tests.tools.fake_programs", "sweetspot", "run", "{folder}/näme.yaml", "--results", "{folder}/new"),
    "an error": ("-m", "tools.cli", "run", "ungültig"),
}


def under_ascii(*arguments: str) -> "subprocess.CompletedProcess[str]":
    strict = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | strict,
        capture_output=True,
        encoding="ascii",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_under_an_ascii_locale(command: str, tmp_path: Path) -> None:
    sample.make(tmp_path, counts=[10])
    (tmp_path / "näme.yaml").write_text(
        "title: Für wen?\nmodels: [good]\nconnections: [1]\nplan: {}\n", encoding="utf-8"
    )
    told = under_ascii(*(argument.format(folder=tmp_path) for argument in COMMANDS[command]))
    assert "UnicodeEncodeError" not in told.stderr
    assert "Traceback" not in told.stderr
    assert told.returncode == (2 if command == "an error" else 0)
    assert told.stdout or told.stderr


def test_the_drivers_summary_prints_what_a_service_says(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("{}")
    with FakeService(lambda _: Act.REPLY).running() as target:
        told = under_ascii(
            *("-m", "services.driver", "--address", str(target), "--connections", "1", "--streams", "1"),
            *("--plan", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "ä.json"), "--duration", "0.1"),
            *("--warmup", "0"),
        )
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.endswith("\\udcc3\\udca4.json\n")
