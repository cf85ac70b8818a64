"""What a shard knows if it is asked to end while it loads: how many calls were answered until then.

Kubernetes sends SIGTERM to a pod that is deleted, and waits for its grace period. So the driver can end with a result.
A pod that is killed, or whose node is lost, stores nothing. Must not know where the reason is stored.
"""

import json
from pathlib import Path

from tools.local import Process

RESULT_TIMEOUT_S = 3.0
"""Time for the driver to write its result, within the pod's grace period (tools/cluster/job.py)."""


def reason(driver: Process, out: Path, shard: str) -> str:
    """Ends the driver, which writes its result to `out`. Returns in one line why the trial is void."""
    driver.ask_to_end()
    driver.has_ended(RESULT_TIMEOUT_S)
    try:
        answered = json.loads(out.read_text(encoding="utf-8"))["calls"]["ok"]
    except (OSError, ValueError):
        return f"{shard} was stopped before it had a result"
    return f"{shard} was stopped after {answered:,} calls answered OK"
