"""Stages switched on and off while calls go through them: which calls are lost, doubled, or overtaken.

One connection sends calls in order. Every stage has one worker, so that answers come in that order if nothing
overtakes. Each call asks the backend once, so that a step that is taken twice shows there. The tests of seda and the
claim call the same function.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle
from typing import Any

from scipy import stats
from sweetspot.v1.control_pb2 import StageSettings

from tools.claims.counting.counting_backend import counting_backend
from tools.claims.counting.loaded_service import ordering, serving, wait_until
from tools.claims.counting.staged_service import FORMS, STAGES, bypass
from tools.control import ControlClient
from tools.local import Process, Programs

CALLS = 6000
"""0 faults in this many calls mean fewer than 0.05 % at 95 %: the rule of three."""
SWITCHES = 20
WINDOW = 30
"""Calls in flight, so that some are in every stage when one is switched."""
PLAN = {
    "steps": [{"compute": {"rounds": 50}}, {"call": {"delay_us": 0}}, {"compute": {"rounds": 50}}],
    "payload": "YmFjaw==",
}
BYPASSED: Sequence[Sequence[str]] = (
    ("admit",),
    (),
    ("compute",),
    ("compute", "call"),
    ("call",),
    (),
    STAGES,
    ("read", "reply"),
    (),
)
"""Which stages calls pass by, in turn."""
SILENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class SwitchOutcome:
    """What happened to the calls."""

    calls: int
    """Sent."""
    order: Sequence[int]
    """Their numbers, in the order in which they ended."""
    codes: Mapping[str, int]
    """gRPC status -> calls that ended with it."""
    workers: frozenset[str]
    """Those that ran the last steps."""
    asked: int
    """How often the backend was asked."""
    switches: int

    @property
    def lost(self) -> int:
        """Calls without a good answer."""
        return self.calls - self.codes.get("OK", 0)

    @property
    def doubled(self) -> int:
        """Steps that were taken for a call that had taken them."""
        return max(self.asked - self.calls, 0)

    @property
    def reordered(self) -> int:
        """Calls that ended after one which was sent later."""
        latest = accumulate(self.order, max)
        return sum(number < most for number, most in zip(self.order, latest, strict=True))


def count(programs: Programs) -> dict[str, Any]:
    """Form of seda -> its calls and faults. Raises LocalError."""
    return {form: _figures(switch_under_load(programs, form)) for form in FORMS}


def _figures(switched: SwitchOutcome) -> dict[str, float]:
    faults = switched.lost + switched.doubled + switched.reordered
    return {
        "calls": switched.calls,
        "switches": switched.switches,
        "lost": switched.lost,
        "doubled": switched.doubled,
        "reordered": switched.reordered,
        "faults": faults,
        "fault_share_at_most": most_share(faults, switched.calls),
    }


def most_share(events: int, of: int) -> float:
    """The largest share that is possible with these events: one-sided 95 % bound of Clopper and Pearson."""
    return 1.0 if events >= of else float(stats.beta.ppf(0.95, events + 1, of - events))


def switch_under_load(programs: Programs, form: str, calls: int = CALLS, switches: int = SWITCHES) -> SwitchOutcome:
    """Makes `calls` calls, and switches stages `switches` times. Raises LocalError, also for a call left over."""
    with (
        counting_backend() as backend,
        serving(programs, "seda", {"stages_in": form, "threads_per_cpu": 1, "backend": backend.address}) as service,
        ControlClient(service.control) as control,
    ):
        for name in ("compute", "call"):
            control.configure(name, StageSettings(workers=1))
        every = math.ceil(calls / (switches + 1))
        with ordering(programs, service, PLAN, calls=calls, window=WINDOW, every=every) as driver:
            ended = _switch(driver, control)
        wait_until(control, lambda reply: not (reply.calls_in_flight or reply.queue_depth), "calls were left over")
        return SwitchOutcome(
            calls,
            ended["order"],
            ended["codes"],
            frozenset(worker.partition("-")[0] for worker in ended["workers"]),
            backend.asked,
            switches,
        )


def _switch(driver: Process, control: ControlClient) -> dict[str, Any]:
    """Switches each time that the driver waits for it. Returns what happened to the calls."""
    turns = cycle(BYPASSED)
    line = driver.expect("", SILENCE_S)
    while line.startswith("ended "):
        bypass(control, next(turns))
        line = driver.ask("switched", SILENCE_S)
    ended: dict[str, Any] = json.loads(line)
    return ended
