"""What a service reports to Prometheus and OpenTelemetry, read from the memory that its processes share.

Must not know how a reading goes out, nor import what sends it.
"""

import os
from collections.abc import Iterator

from services.runtime.service import Service
from services.telemetry.readings import Number, Reading


def readings(service: Service) -> Iterator[Reading]:
    """All of them now. What the model has not, a queue or a loop, is left out, which is not the same as 0."""
    yield Number("sweetspot.connections", "{connection}", "Connections open now", service.connections.value() or 0)
    yield Number(
        "sweetspot.calls.in_flight",
        "{call}",
        "Calls received whose handler has not ended: waiting in a queue or running",
        service.calls_in_flight.value() or 0,
    )
    depth = service.queue_depth()
    if depth is not None:
        yield Number("sweetspot.queue.depth", "{call}", "Calls that wait for a worker", depth)
    refusals = service.refusals.value()
    if refusals is not None:
        yield Number("sweetspot.refusals", "{call}", "Calls rejected for lack of room", refusals, is_total=True)
    held_bytes = service.memory.held_bytes
    if held_bytes is not None:
        yield Number("sweetspot.memory.held", "By", "Requests and unread replies that connections hold", held_bytes)
        budget_bytes = service.memory.budget_bytes
        yield Number("sweetspot.memory.budget", "By", "Limit for all connections together", budget_bytes)
    failed_starts = service.shortage.failed_starts.value() or 0
    yield Number(
        "sweetspot.starts.failed",
        "{start}",
        "Threads and processes that could not be started",
        failed_starts,
        is_total=True,
    )
    for histogram, name, description in (
        (
            service.durations.histogram,
            "rpc.server.call.duration",
            "From the receipt of the whole request to the handler's end",
        ),
        (service.loop_lag.lags, "sweetspot.loop.lag", "Duration of an iteration of the event loop"),
    ):
        if histogram is not None and (distribution := histogram.read(name, description)).series:
            yield distribution


def resource(service: Service) -> dict[str, str]:
    """OpenTelemetry's resource attributes of the service. Its spans have the same."""
    return {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or service.model.replace("_", "-"),
        "host.name": service.host,
        "process.pid": str(service.pid),
        "sweetspot.model": service.model,
    }
