"""From plain numbers to OpenTelemetry spans on their way out, each accounted for. Must not know what a span stands for.

The SDK's `Tracer` makes a span by starting it: it draws the ids and reads the clock itself. Here a span is known only
when it has ended, and its id was sent to another process long before. So the SDK's read-only spans are built directly
and handed to its batch processor, as its own spans are when they end.

Guarantees:
- A span is made once and ends as exported or dropped, exactly one of them; none is lost without being counted, with
  its Loss.
  (The SDK drops the oldest span of a full queue and counts nothing: opentelemetry-python issue 3152.)
- `record` neither blocks on the exporter nor raises.
- `close` returns in time, whatever the collector does.
  (The SDK's waits up to 30 s: opentelemetry-python issue 4568.)
"""

import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from services.telemetry.collector import ExporterSession, Why
from services.telemetry.environment import endpoint, number, silence_sdk, timeout_s
from services.telemetry.otlp_file import OtlpFileExporter
from services.telemetry.tracing import Counts, Loss, Span

_logger = logging.getLogger(__name__)

_MAX_WAITING = 65_536
_SCHEDULE_DELAY_MS = 500
_MAX_BATCH = 512
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_ERROR = Status(StatusCode.ERROR)
_SCOPE = InstrumentationScope("sweetspot")


class Pipeline:
    """Spans in, batches out on a thread of its own. Built after any fork."""

    def __init__(
        self, service_name: str, *, model: str | None, trace_file: Path | None, on_counts: Callable[[Counts], None]
    ) -> None:
        """Exports to trace_file, or without one to the collector that OTEL_EXPORTER_OTLP_* name. Raises OSError.

        `tell` receives the counts whenever they have changed, and must be quick.
        """
        self._on_counts = on_counts
        silence_sdk()
        ours = Resource.create(
            {
                "service.name": service_name,
                "host.name": socket.gethostname(),
                "process.pid": os.getpid(),
                **({} if model is None else {"sweetspot.model": model}),
            }
        )
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come first.
        self._resource = ours.merge(OTELResourceDetector().detect())
        self._to_epoch_ns = _epoch_minus_monotonic_ns()
        self._lock = threading.Lock()
        self._made = self._exported = 0
        self._lost: Counter[Loss] = Counter()
        self._details: dict[Loss, str] = {}
        self._closing = self._closed = False
        self._max_waiting = int(number("OTEL_BSP_MAX_QUEUE_SIZE", _MAX_WAITING))
        timeout = timeout_s("TRACES", at_most="OTEL_BSP_EXPORT_TIMEOUT")
        self._session = ExporterSession()
        self._to = str(trace_file or endpoint())
        exporter = (
            OTLPSpanExporter(timeout=timeout, session=self._session)
            if trace_file is None
            else OtlpFileExporter(trace_file)
        )
        # The queue is never fuller than _max_waiting, which also counts batches in flight: the SDK has none to drop.
        self._processor = BatchSpanProcessor(
            _Accountant(exporter, self._session, self._settle),
            max_queue_size=self._max_waiting,
            schedule_delay_millis=number("OTEL_BSP_SCHEDULE_DELAY", _SCHEDULE_DELAY_MS),
            max_export_batch_size=min(self._max_waiting, int(number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", _MAX_BATCH))),
        )

    @property
    def counts(self) -> Counts:
        with self._lock:
            return self._counts()

    def record(self, spans: Sequence[Span]) -> None:
        """Takes all of these spans or, when there is no room for them to wait, none."""
        with self._lock:
            self._made += len(spans)
            waiting = self._made - self._exported - self._lost.total()
            refused = self._closing or waiting > self._max_waiting
            if refused:
                self._lost[Loss.NOT_RECORDED if self._closing else Loss.QUEUE_FULL] += len(spans)
            self._on_counts(self._counts())
        if refused:
            return
        try:
            readable = [self._readable(span) for span in spans]
            for span in readable:
                self._processor.on_end(span)
        except Exception as error:  # a call must not fail for being watched; what is not handed over, `close` drops
            _logger.warning("telemetry: a call's spans were not recorded: %s", error)

    def close(self, timeout_s: float) -> None:
        """Exports what waits for at most timeout_s; the rest is dropped."""
        with self._lock:
            self._closing = True
        # A daemon, so that an export which hangs cannot hold up the exit either.
        closer = threading.Thread(target=self._processor.shutdown, name="telemetry-close", daemon=True)
        closer.start()
        closer.join(timeout_s)
        with self._lock:
            self._closed = True
            if waiting := self._made - self._exported - self._lost.total():
                self._lose(waiting, *self._why_waiting(recorded=not closer.is_alive()))
            self._on_counts(self._counts())
        if self._lost:
            reasons = "; ".join(
                f"{count} {loss}" + (f" ({self._details[loss]})" if loss in self._details else "")
                for loss, count in self._lost.most_common()
            )
            _logger.warning("telemetry: %d of %d spans were lost: %s", self._lost.total(), self._made, reasons)

    def _why_waiting(self, *, recorded: bool) -> Why:
        """Why spans still wait when closing is over: the exporter may still try again what has failed."""
        if recorded:
            return Loss.NOT_RECORDED, ""
        return self._session.why or (Loss.TIMEOUT, "no answer before the process had to end")

    def _settle(self, exported: int, lost: int, why: Why | None) -> None:
        with self._lock:
            if self._closed:
                return
            self._exported += exported
            if lost:
                self._lose(lost, *(why or (Loss.NOT_RECORDED, "")))
            self._on_counts(self._counts())

    def _lose(self, count: int, loss: Loss, detail: str) -> None:
        self._lost[loss] += count
        if detail:
            self._details.setdefault(loss, f"{self._to}: {detail}")

    def _counts(self) -> Counts:
        lost = {loss.value: count for loss, count in self._lost.items()}
        return Counts(made=self._made, exported=self._exported, dropped=self._lost.total(), lost=lost)

    def _readable(self, span: Span) -> ReadableSpan:
        trace_id = span.context.trace_id
        parent = None
        if span.parent_id is not None:
            parent = SpanContext(trace_id, span.parent_id, is_remote=span.kind == "SERVER", trace_flags=_SAMPLED)
        state = TraceState.from_header([span.context.tracestate]) if span.context.tracestate else None
        events = () if span.sent_ns is None else (Event("sent", timestamp=span.sent_ns + self._to_epoch_ns),)
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace_id, span.context.span_id, False, _SAMPLED, state),
            parent=parent,
            resource=self._resource,
            attributes=span.attributes,
            events=events,
            kind=SpanKind[span.kind],
            status=_ERROR if span.error else _UNSET,
            start_time=span.started_ns + self._to_epoch_ns,
            end_time=span.ended_ns + self._to_epoch_ns,
            instrumentation_scope=_SCOPE,
        )


class _Accountant(SpanExporter):
    """Accounts for each batch of the exporter behind it."""

    def __init__(
        self, exporter: SpanExporter, session: ExporterSession, settle: Callable[[int, int, Why | None], None]
    ) -> None:
        self._exporter = exporter
        self._session = session
        self._settle = settle

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        session = self._session
        session.why, session.rejected = None, 0
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        except OSError as error:
            session.why = Loss.DISK, error.strerror or str(error)
        finally:
            taken_whole = result is SpanExportResult.SUCCESS and session.why is None
            # A collector may claim to have rejected more than it was sent.
            lost = 0 if taken_whole else min(session.rejected or len(spans), len(spans))
            self._settle(len(spans) - lost, lost, session.why)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _epoch_minus_monotonic_ns() -> int:
    """What makes an epoch time of a CLOCK_MONOTONIC one.

    The narrowest of several tries: a thread switch between the two clocks' readings would move every span of this
    process against those of the others.
    """

    def attempt() -> tuple[int, int]:
        before_ns = time.monotonic_ns()
        epoch_ns = time.time_ns()
        after_ns = time.monotonic_ns()
        return after_ns - before_ns, epoch_ns - (before_ns + after_ns) // 2

    return min(attempt() for _ in range(10))[1]
