"""The process that runs a call is killed: how many calls of other connections fail?

The reply to an earlier call on the same connection names that process. Must not know in which process a model runs a
call.
"""

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sweetspot.v1.workload_pb2 import RunReply, RunRequest, Sleep, Step

from tools.claims.counting.loaded_service import loading, serving
from tools.claims.counting.toggles import most_share
from tools.control import open_channel
from tools.local import LocalError, Programs
from tools.serving import LocalService

MODELS = ("process_per_connection", "process_pool", "thread_pool", "reactor", "seda")
CONNECTIONS = 8
RATE_RPS = 200
PLAN = {"steps": [{"sleep": {"duration_us": 20_000}}]}
"""4 calls are in flight when the process dies."""
LONG = RunRequest(steps=[Step(sleep=Sleep(duration_us=60_000_000))])
CALM_S = 0.3
"""Calls are counted for this long before the process dies."""
COUNTED_S = 1.5
TIMEOUT_S = 1.0
FINISH_S = 20.0


def count(programs: Programs) -> dict[str, Any]:
    """Model -> calls `exposed` and `failed` on other connections, and their share. Raises LocalError."""
    return {model: _killed(programs, model) for model in MODELS}


def _killed(programs: Programs, model: str) -> dict[str, float]:
    with (
        serving(programs, model) as service,
        _running(service) as process,
        loading(
            programs,
            service,
            PLAN,
            connections=CONNECTIONS,
            rate=RATE_RPS,
            warmup=CALM_S,
            duration=COUNTED_S,
            timeout=TIMEOUT_S,
        ) as (driver, out),
    ):
        driver.expect("measuring", FINISH_S)
        time.sleep(CALM_S)
        killed_ns = time.monotonic_ns()
        _kill(process, service)
        driver.finish(FINISH_S)
        return figures(json.loads(out.read_text(encoding="utf-8")), killed_ns)


def figures(result: Mapping[str, Any], killed_ns: int) -> dict[str, float]:
    """Calls that were exposed to the end of a process at that time of CLOCK_MONOTONIC, and those that failed.

    Exposed calls are those that were due from then on, and those in flight that failed. Raises LocalError.
    """
    calls = result["calls"]
    due_s = (result["marks"]["ended_monotonic_ns"] - killed_ns) / 1e9
    exposed = round(RATE_RPS * due_s)
    if exposed <= 0:
        raise LocalError("the load ended before the process was killed: no call was exposed")
    failed = calls["planned"] - calls["ok"]
    exposed = max(exposed, failed)
    return {
        "exposed": exposed,
        "failed": failed,
        "failed_share": failed / exposed,
        "failed_share_at_most": most_share(failed, exposed),
    }


@contextmanager
def _running(service: LocalService) -> Iterator[int]:
    """Makes a call on a connection of its own that lasts until the block ends. Yields the process that runs the call.

    Raises LocalError.
    """
    import grpc  # noqa: PLC0415  (0.1 s)

    with open_channel(service.address) as channel:
        run: grpc.UnaryUnaryMultiCallable = channel.unary_unary(
            "/sweetspot.v1.Workload/Run",
            request_serializer=RunRequest.SerializeToString,
            response_deserializer=RunReply.FromString,
        )
        try:
            process: int = run(RunRequest(), timeout=FINISH_S).process
        except grpc.RpcError as error:
            raise LocalError(f"{service.process.name}: which process runs a call? {error.code().name}") from error
        going_on = run.future(LONG, timeout=FINISH_S)
        yield process
        going_on.cancel()


def _kill(process: int, service: LocalService) -> None:
    """Kills a process that this service has started: each service leads a session of its own. Raises LocalError."""
    if os.getsid(process) != service.process.pid:
        raise LocalError(f"process {process} is none of the service's")
    os.kill(process, signal.SIGKILL)
