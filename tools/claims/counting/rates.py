"""Each stage of seda in turn gets a rate below the load: does it serve at that rate, and does no other stage slow down?

Must not know how a stage limits its rate.
"""

import time
from typing import Any

from sweetspot.v1.control_pb2 import SnapshotReply, StageSettings

from tools.claims.counting.loaded_service import loaded, serving, wait_until
from tools.claims.counting.staged_service import STAGES, stage
from tools.control import ControlClient
from tools.local import Programs

LOAD_RPS = 500
CONNECTIONS = 20
"""Of at most 100 calls each: what waits in the slowest case, 450/s for 2.5 s, has room on them."""
RATES_PER_S = (50, 100, 200, 400)
PLAN = {"steps": [{"compute": {"rounds": 50}}, {"sleep": {"duration_us": 1}}, {"compute": {"rounds": 50}}]}
"""One wait, so that every stage has something to do."""
QUEUE_BOUND = 10_000
"""So that no queue is full before the next rate: a full one holds up the stage before it, as it should."""
SETTLING_S = 0.3
"""A stage may save up 0.05 s of tokens, and its queue has to fill."""
LOOKED_AT_S = 1.5
FEW = 20
"""Calls that wait at most before the next rate is tried."""


def count(programs: Programs) -> dict[str, Any]:
    """The largest `tracking_error` and `cross_talk`, as shares, and those of each stage. Raises LocalError."""
    with (
        serving(programs, "seda", {"queue_bound": QUEUE_BOUND}) as service,
        ControlClient(service.control) as control,
        loaded(programs, service, PLAN, connections=CONNECTIONS, rate=LOAD_RPS, timeout=60),
    ):
        stages = {name: _worst([_at(control, name, rate) for rate in RATES_PER_S]) for name in STAGES}
    return {**_worst(list(stages.values())), "stages": stages}


def _at(control: ControlClient, name: str, rate_per_s: int) -> dict[str, float]:
    control.configure(name, StageSettings(rate_per_s=rate_per_s))
    time.sleep(SETTLING_S)
    before = control.snapshot()
    time.sleep(LOOKED_AT_S)
    after = control.snapshot()
    control.configure(name, StageSettings(rate_per_s=0))
    wait_until(control, lambda reply: reply.queue_depth <= FEW, "calls did not leave the queues")
    return seen(name, rate_per_s, before, after)


def seen(name: str, rate_per_s: float, before: SnapshotReply, after: SnapshotReply) -> dict[str, float]:
    """What two snapshots show of a stage with that rate.

    `tracking_error`: the distance of the stage from its rate, as a share of that rate. Calls that a stage rejects do
    not count as served. `cross_talk`: of the calls that reached another stage, the share that it left waiting, for the
    worst stage.
    """
    passed_s = (after.monotonic_ns - before.monotonic_ns) / 1e9
    passed_on = _grown(name, before, after, "served") - _grown(name, before, after, "shed")
    others = [other for other in STAGES if other != name]
    return {
        "tracking_error": abs(passed_on / passed_s / rate_per_s - 1),
        "cross_talk": max(_left_waiting(other, before, after) for other in others),
    }


def _left_waiting(name: str, before: SnapshotReply, after: SnapshotReply) -> float:
    waiting = max(_grown(name, before, after, "queue_depth"), 0)
    reached = _grown(name, before, after, "served") + waiting
    return waiting / reached if reached else 0.0


def _grown(name: str, before: SnapshotReply, after: SnapshotReply, counter: str) -> int:
    grown: int = getattr(stage(after, name), counter) - getattr(stage(before, name), counter)
    return grown


def _worst(figures: list[dict[str, float]]) -> dict[str, float]:
    return {key: max(figure[key] for figure in figures) for key in ("tracking_error", "cross_talk")}
