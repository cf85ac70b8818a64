"""Traces of sampled calls, made with OpenTelemetry. Must not know gRPC's wire, sockets or any model.

Importing this package loads nothing of OpenTelemetry: a process that does not trace pays neither its memory nor its
start-up time, and a call in it costs one `tracing is None`.

    context.py    who a span is: W3C `traceparent`, `tracestate` and `baggage`, to ids and back
    environment.py  which of OpenTelemetry's variables are honoured, and which rejected
    labels.py     which run a span belongs to, as a traced call brings it
    tracing.py    what is recorded of a call, in plain numbers
    collector.py  why the collector did not take a batch
    pipeline.py   numbers -> the SDK's spans -> batches, each span accounted for
    otlp_file.py  batches -> OTLP JSON lines
"""

from services.telemetry.context import Headers, TraceContext
from services.telemetry.tracing import CallTrace, CarriedTrace, Counts, Loss, Tracing

__all__ = ["CallTrace", "CarriedTrace", "Counts", "Headers", "Loss", "TraceContext", "Tracing"]
