"""A driver's process that is killed: the run has no result, and what it had measured is still there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.driver import checkpoint
from tests.truth.figures import Figures
from tests.truth.runs import serving
from tools.local import Pinning

pytestmark = [pytest.mark.truth, pytest.mark.timeout(120)]

RATE_RPS, MEASURED_S = 400, 3.7


def test_a_killed_shard_makes_the_run_void_and_loses_a_second(
    tmp_path: Path, pinning: Pinning, figures: Figures
) -> None:
    out, plan = tmp_path / "result.json", tmp_path / "plan.yaml"
    plan.write_text("payload_bytes: 32\n")
    load = (f"--rate={RATE_RPS}", "--duration=60", "--warmup=0", "--connections=10", "--processes=2")
    with serving(pinning, tmp_path) as server:
        command = [sys.executable, "-m", "services.driver", f"--address={server.address}", *load]
        command += [f"--plan={plan}", f"--out={out}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as driver:
            assert driver.stdout is not None
            assert driver.stdout.readline() == "measuring\n"
            begun_s = time.monotonic()
            shards = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
            time.sleep(MEASURED_S)
            os.kill(int(shards[1]), signal.SIGKILL)
            measured_s = time.monotonic() - begun_s
            _, said = driver.communicate(timeout=30)
    figures.check(
        "result of a run with a killed shard",
        f"status {driver.returncode}, {'a' if out.exists() else 'no'} result",
        "status 2, no result",
        reached=driver.returncode == 2 and not out.exists() and "the run is void" in said,
    )
    kept = sum(map(len, checkpoint.read(out.with_name("result.json.shard-1")).values()))
    lost_s = measured_s - kept / (RATE_RPS / 2)
    figures.check("samples lost with the shard", f"{lost_s:.2f} s of them", "at most 1 s", reached=lost_s <= 1)
