"""The system calls of a call: each one that a service makes while it answers one client, call after call.

Must not know what a number should be.
"""

import json
import statistics
import sys
from collections.abc import Mapping
from typing import Any

from tools.claims.counting.parts import clients, is_served
from tools.claims.counting.starts import NOT_HERE
from tools.local import LocalError, Process, Programs, started
from tools.serving import listening

MODELS = ("reactor", "proactor", "thread_per_connection")
BATCHES, CALLS = 41, 10
"""The median of small batches leaves out what comes by time and not by calls, as a timer of the interpreter does."""
TIMEOUT_S = 60.0
"""For a start, or an answer, of a service whose every system call waits for another process."""
_COUNTED = (sys.executable, "-m", "tools.system_calls")


def count(programs: Programs) -> dict[str, Any]:
    """Model -> system calls; without those that this machine cannot start. Raises LocalError."""
    found: dict[str, Any] = {}
    for model in MODELS:
        command = [*_COUNTED, *programs.services, model, "--port=0"]
        with started(model, command, answers=True) as process:
            try:
                address = listening(process, TIMEOUT_S).address
            except LocalError:
                if process.status == NOT_HERE:
                    continue
                raise
            found[model] = _counted(process, address)
    return found


def _counted(process: Process, address: str) -> dict[str, Any]:
    batches: list[dict[str, int]] = []
    with clients(address, 1) as (client,):
        for _ in range(BATCHES):
            before = _asked(process)
            if not all(is_served(client, TIMEOUT_S) for _ in range(CALLS)):
                raise LocalError(f"{process.name}: a call was not answered within {TIMEOUT_S:.0f} s")
            batches.append(_less(_asked(process), before))
    return {
        "calls": BATCHES * CALLS,
        "total": {kind: sum(batch[kind] for batch in batches) for kind in batches[0]},
        "per_call": {kind: statistics.median(batch[kind] / CALLS for batch in batches) for kind in batches[0]},
    }


def _asked(process: Process) -> dict[str, int]:
    counts: dict[str, int] = json.loads(process.ask("count", TIMEOUT_S))
    return counts


def _less(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {kind: after[kind] - before[kind] for kind in after}
