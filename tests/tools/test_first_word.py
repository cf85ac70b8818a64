"""The command prints its first word soon, and an interrupt before that is one line."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["scipy", "kubernetes", "grpc", "numpy", "hdrh", "jinja2"]
"""From 0.1 to 2 s of imports each."""

IMPORTS = """
import sys
import {module}
print(*(name for name in {heavy} if name in sys.modules))
"""

INTERRUPTED_AT = """
import os, signal, sys

def hook(event, arguments):
    if event == "import" and arguments[0] == {module!r}:
        os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in its background
sys.addaudithook(hook)
from tools.cli import main
sys.exit(main({arguments}))
"""


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["tools.cli", "tools.commands", "tools.stats.line"])
def test_the_command_loads_no_library_that_it_may_not_need(module: str) -> None:
    told = python(IMPORTS.format(module=module, heavy=HEAVY))
    assert (told.stdout, told.stderr) == ("\n", "")


def test_the_driver_does_not_load_what_jsonschema_takes_if_it_is_there() -> None:
    """1.7 s of each start of a driver, for a format that no schema has: requirements.txt leaves it out."""
    told = python(IMPORTS.format(module="services.driver.result", heavy=["rfc3987_syntax", "lark"]))
    assert (told.stdout, told.stderr) == ("\n", "")


def test_help_needs_little_cpu() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "tools.cli", "--help"], stdout=subprocess.DEVNULL, timeout=60, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


@pytest.mark.parametrize(
    "module",
    ["tools.commands", "jsonschema", "jinja2", "scipy"],
)
def test_an_interrupt_while_a_library_is_loaded_is_one_line(module: str, tmp_path: Path) -> None:
    """A folder of trials, and one of a grid: between them their pages need every library."""
    folder = tmp_path / ("cells" if module == "scipy" else "trials")
    folder.mkdir()
    (tmp_path / "experiment.yaml").write_text("title: Why?\nmodels: [good]\nconnections: [1]\nplan: {}\nrounds: 1\n")
    told = python(INTERRUPTED_AT.format(module=module, arguments=["report", str(tmp_path)]))
    assert (told.returncode, told.stdout, told.stderr) == (130, "", "sweetspot: interrupted\n")


def test_an_interrupt_while_the_interpreter_ends_changes_nothing() -> None:
    script = """
import atexit, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(os.kill, os.getpid(), signal.SIGINT)
from tools.cli import main
sys.exit(main(["run", "nope"]))
"""
    told = python(script)
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
