"""What remains of calls that were cancelled while they waited: how much a reactor's memory grows, by style.

Must not know what a number should be.
"""

from typing import Any

from sweetspot.v1.workload_pb2 import RunReply, RunRequest, Sleep

from tools.claims.counting.answers import plan
from tools.claims.counting.loaded_service import wait_until
from tools.claims.counting.parts import clients
from tools.control import ControlClient
from tools.local import Programs, started
from tools.serving import LocalService, listening

MODEL = "reactor"
STYLES = {"closures": (), "ripped": ("--style", "ripped")}
"""What holds the state of a callback: closures, or a record that is written by hand."""
WAITS = plan(sleep=Sleep(duration_us=60_000_000))
AT_ONCE = 100
"""As many calls as one connection may have (MAX_CONCURRENT_STREAMS)."""
WARM_UP, BATCHES = 30, 334
"""Batches of AT_ONCE calls: until memory has its size, and measured. Three rounds have 10^5 calls."""


def count(programs: Programs) -> dict[str, Any]:
    """Style -> calls cancelled, and by what share of its memory the service grew. Raises LocalError."""
    return {style: _growth(programs, options) for style, options in STYLES.items()}


def _growth(programs: Programs, options: tuple[str, ...]) -> dict[str, float]:
    with started(MODEL, [*programs.services, MODEL, "--port=0", *options]) as process:
        service = listening(process)
        _cancel(service, WARM_UP)
        before_bytes = _rss_bytes(service)
        _cancel(service, BATCHES)
        after_bytes = _rss_bytes(service)
    return {
        "cancelled": BATCHES * AT_ONCE,
        "rss_bytes": before_bytes,
        "growth_bytes": after_bytes - before_bytes,
        "growth_share": (after_bytes - before_bytes) / before_bytes,
    }


def _cancel(service: LocalService, batches: int) -> None:
    """Each call once it waits in the service; each batch on a connection of its own, as resets of one are bounded."""
    with ControlClient(service.control) as control:
        for _ in range(batches):
            with clients(service.address, 1) as (client,):
                path = "/sweetspot.v1.Workload/Run"
                run = client.unary_unary(path, RunRequest.SerializeToString, RunReply.FromString)
                calls = [run.future(WAITS) for _ in range(AT_ONCE)]
                wait_until(control, lambda reply: reply.calls_in_flight == AT_ONCE, "not all calls arrived")
                for call in calls:
                    call.cancel()
                wait_until(control, lambda reply: reply.calls_in_flight == 0, "not all calls ended")


def _rss_bytes(service: LocalService) -> int:
    with ControlClient(service.control) as control:
        rss_bytes: int = control.snapshot().rss_bytes
    return rss_bytes
