"""What each stage of seda costs a call: its latency where nothing else waits, and CPU, with fewer and fewer stages.

A stage that calls pass by does its work in the one before it, so the work is the same and only hops are fewer.
Must not know how a hop is made.
"""

from typing import Any

from scipy import stats

from tools.claims.counting.loaded_service import serving, sliced
from tools.claims.counting.staged_service import FORMS, bypass
from tools.control import ControlClient
from tools.local import Programs
from tools.processors import tree_ns
from tools.serving import LocalService
from tools.slices import SliceDriver, slice_driver

PLAN = {"steps": [{"compute": {"rounds": 50}}, {"sleep": {"duration_us": 1}}, {"compute": {"rounds": 50}}]}
BYPASSED = {5: (), 4: ("admit",), 3: ("admit", "call"), 2: ("admit", "compute", "call")}
"""Stages that calls go through -> those that they pass by."""
RARE_RPS = 50
"""No call waits for another one."""
RARE_S = 2.0
"""100 calls, for their median."""
BUSY_S = 1.0
WARMUP_S = 0.2
TIMEOUT_S = 10


def count(programs: Programs) -> dict[str, Any]:
    """Form of seda -> `p50_ns` and `cpu_per_call_ns` by number of stages, and `hop_ns`. Raises LocalError."""
    with slice_driver(programs) as driver:
        return {form: _form(programs, driver, form) for form in FORMS}


def _form(programs: Programs, driver: SliceDriver, form: str) -> dict[str, Any]:
    with (
        serving(programs, "seda", {"stages_in": form}) as service,
        ControlClient(service.control) as control,
        sliced(driver, "rare", service, PLAN, connections=1, rate=RARE_RPS, timeout=TIMEOUT_S),
        sliced(driver, "busy", service, PLAN, connections=8, streams=1, timeout=TIMEOUT_S),
    ):
        p50_ns, cpu_ns = {}, {}
        for stages, names in BYPASSED.items():
            bypass(control, names)
            p50_ns[stages] = _p50_ns(driver)
            cpu_ns[stages] = _cpu_per_call_ns(driver, service)
    return {
        "p50_ns": {str(stages): value for stages, value in p50_ns.items()},
        "cpu_per_call_ns": {str(stages): value for stages, value in cpu_ns.items()},
        "hop_ns": slope(p50_ns),
    }


def slope(values: dict[int, float]) -> float:
    """By least squares: what one stage more adds."""
    return float(stats.linregress(list(values), list(values.values())).slope)


def _p50_ns(driver: SliceDriver) -> float:
    made = driver.slice("rare", warmup_s=WARMUP_S, duration_s=RARE_S, seed=1, timeout_s=TIMEOUT_S)
    return float(made["latency_ns"]["p50"])


def _cpu_per_call_ns(driver: SliceDriver, service: LocalService) -> float:
    before_ns = tree_ns(service.process.pid)
    made = driver.slice("busy", warmup_s=0, duration_s=BUSY_S, seed=1, timeout_s=TIMEOUT_S)
    return (tree_ns(service.process.pid) - before_ns) / int(made["counted"])
