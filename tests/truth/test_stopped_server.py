"""A server that is stopped: an open loop continues, and counts each call from when it was to be sent."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.truth.figures import Figures
from tests.truth.runs import serving
from tools.local import Pinning, started

pytestmark = [pytest.mark.truth, pytest.mark.timeout(120)]

RATE_RPS, DURATION_S, STOPPED_S = 400, 10, 1.0


def test_a_server_stopped_for_a_second_shows_in_the_p99(tmp_path: Path, pinning: Pinning, figures: Figures) -> None:
    out = tmp_path / "result.json"
    plan = tmp_path / "plan.yaml"
    plan.write_text("payload_bytes: 32\n")
    with serving(pinning, tmp_path) as server:
        load = (f"--rate={RATE_RPS}", f"--duration={DURATION_S}", "--warmup=1", "--connections=10")
        command = [sys.executable, "-m", "services.driver", f"--address={server.address}", *load]
        with started("driver", [*command, f"--plan={plan}", f"--out={out}"]) as driver:
            driver.expect("measuring", 30)
            time.sleep(DURATION_S / 3)
            _stop(server.process.pid)
            driver.finish(30)
    result = json.loads(out.read_text())
    calls, p99_s = result["calls"], result["latency_ns"]["p99"] / 1e9
    figures.check("p99 with a server stopped for 1 s in 10 s", f"{p99_s:.3f} s", "at least 0.9 s", reached=p99_s >= 0.9)
    sent, scheduled = calls["planned"] - calls["not_sent"], RATE_RPS * DURATION_S
    off = abs(sent / scheduled - 1)
    figures.check("arrivals beside the schedule", f"{off:.2%}", "at most 0.5 %", reached=off <= 0.005)


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(STOPPED_S)
    finally:
        os.kill(pid, signal.SIGCONT)
