"""A command that is killed leaves nothing: its processes end with it, and its temporary folders are removed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tools.fake_programs import ENDLESS, GOOD
from tests.tools.test_cli import SCALE, experiment, processes_with

TIMEOUT_S = 20
ENDLESS_SCALE = SCALE.replace("[2]", f"[{ENDLESS}]").replace("[1, 64]", "[1]")


def wait_until_nothing_is_left(mark: str, folder: Path) -> None:
    until_s = time.monotonic() + TIMEOUT_S
    while processes_with(mark) or any(folder.iterdir()):
        assert time.monotonic() < until_s, (processes_with(mark), [path.name for path in folder.iterdir()])
        time.sleep(0.02)


def wait_for_a_driver(mark: str) -> None:
    until_s = time.monotonic() + TIMEOUT_S
    commands = (b"--connections", b"fake_programs\0slices")
    while not any(word in command_line(pid) for pid in processes_with(mark) for word in commands):
        assert time.monotonic() < until_s
        time.sleep(0.02)


def command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended since
        return b""


@pytest.mark.parametrize("scale", [False, True], ids=["run", "scale"])
def test_a_killed_run_leaves_no_process_and_no_folder(tmp_path: Path, scale: bool) -> None:
    asked = experiment(tmp_path, models=GOOD, connections=str(ENDLESS))
    if scale:
        Path(asked).write_text(ENDLESS_SCALE)
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "tests.tools.fake_programs", "sweetspot", "run", asked]
    environment = os.environ | {"MARK_OF_TEST": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}
    mark = f"MARK_OF_TEST={tmp_path}"
    with subprocess.Popen(
        [*command, "--results", str(tmp_path / "results")], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        wait_for_a_driver(mark)
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        process.kill()
    assert process.returncode == -signal.SIGKILL
    wait_until_nothing_is_left(mark, tmp_path / "tmp")


def test_a_real_service_ends_with_all_its_processes(tmp_path: Path) -> None:
    script = """
import sys, time
from tools.local import Programs, started
with started("it", [*Programs().services, "process_pool", "--processes=2", "--port=0"]) as process:
    process.expect("control on ", 60)
    print("up", flush=True)
    time.sleep(60)
"""
    environment = os.environ | {"MARK_OF_TEST": str(tmp_path)}
    (tmp_path / "tmp").mkdir()
    mark = f"MARK_OF_TEST={tmp_path}"
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert len(processes_with(mark)) >= 4
        process.kill()
    wait_until_nothing_is_left(mark, tmp_path / "tmp")


def test_a_service_that_is_started_by_hand_outlives_who_started_it(tmp_path: Path) -> None:
    """As from a shell whose terminal was closed: with nohup the service continues."""
    script = """
import subprocess, sys
service = subprocess.Popen([sys.executable, "-m", "services", "iterative", "--port=0"], stdout=subprocess.PIPE)
service.stdout.readline()
print(service.pid, flush=True)
"""
    told = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    pid = int(told.stdout)
    assert Path(f"/proc/{pid}").exists()
    os.kill(pid, signal.SIGKILL)
