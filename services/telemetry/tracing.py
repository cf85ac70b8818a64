"""What is recorded of a sampled call: numbers while it runs, spans once it has ended. Must not load OpenTelemetry.

A traced call becomes these spans (a process each line of dashes):

    CLIENT sweetspot.v1.Workload/Run        driver: from the intended send; the event `sent` is the actual one
    --------------------------------
      SERVER sweetspot.v1.Workload/Run      service: from the whole request received to the reply handed over
        queue                               received .. a worker took it
        queue STAGE                         handed on .. taken, for each stage of a model that has several
        run                                 a worker took it .. its handler returned
          compute, sleep, block, touch      one for each step
          CLIENT sweetspot.v1.Backend/Fetch
    --------------------------------
            SERVER sweetspot.v1.Backend/Fetch

Names follow opentelemetry.io/docs/specs/semconv/rpc/grpc (rpc.system.name, rpc.method, rpc.response.status_code,
error.type, server.address, server.port).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from services.telemetry.context import Headers, TraceContext, read_headers
from services.telemetry.environment import spans_go_out, tracing_is_off
from services.telemetry.labels import from_baggage

if TYPE_CHECKING:
    from services.telemetry.pipeline import Pipeline

Attribute = str | bool | int | float

_STATUS_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)

# The conventions: to a client all but OK is an error; to a server only what is the server's own fault.
_SERVER_ERRORS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class Loss(StrEnum):
    """Why a span was dropped."""

    QUEUE_FULL = "queue full"
    UNREACHABLE = "collector unreachable"
    TLS = "TLS failed"
    TIMEOUT = "timeout"
    UNAUTHORISED = "unauthorised"
    WRONG_PROTOCOL = "wrong protocol"
    FAILING = "collector busy or failing"
    REJECTED = "rejected by the collector"
    DISK = "file not written"
    NOT_RECORDED = "recorded too late or not at all"


@dataclass(frozen=True, slots=True)
class Counts:
    """Where spans went. made - exported - dropped are still waiting; after `Tracing.close` none are."""

    made: int
    exported: int
    """Confirmed by the collector, or written to the file."""
    dropped: int
    """No room to wait, rejected by the collector or the disk, or not confirmed when closing ran out of time."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """Of those dropped: how many for which Loss, by its value."""


@dataclass(frozen=True, slots=True)
class Span:
    """One finished operation. Times are CLOCK_MONOTONIC nanoseconds."""

    name: str
    kind: Literal["INTERNAL", "SERVER", "CLIENT"]
    context: TraceContext
    parent_id: int | None
    """The parent's span id; None for a root."""
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, Attribute]
    error: bool = False
    sent_ns: int | None = None
    """When the request really left; recorded as the event `sent`."""


CarriedTrace = tuple[TraceContext, str, TraceContext, TraceContext, tuple[Span, ...]]
"""A CallTrace on its way to another process: the caller's span, the method, SERVER, `run`, and the steps so far."""


class Tracing:
    """One process's traces. Every method may be called from any thread, and none of them fails a call."""

    def __init__(self, pipeline: "Pipeline", *, model: str | None) -> None:
        self._pipeline = pipeline
        self._model: dict[str, Attribute] = {} if model is None else {"sweetspot.model": model}
        self._open = WeakSet[CallTrace]()

    @classmethod
    def from_environment(
        cls,
        service_name: str,
        *,
        model: str | None,
        trace_file: Path | None,
        on_counts: Callable[[Counts], None] = lambda _: None,
    ) -> "Tracing | None":
        """Tracing as the environment asks for it; None when it asks for none.

        `tell` receives the counts whenever they have changed.

        Spans go to a collector if OpenTelemetry's variables name one (environment.py). Else they are appended to
        `trace_file` as OTLP JSON lines. Raises OSError when that file cannot be written.

        Call it in the process that makes the spans, *after* any fork: a child inherits neither the thread that
        exports nor a right to its parent's connection, and would claim its parent's process.pid.
        """
        if not _asked(trace_file):
            return None
        # Only now: the SDK and its HTTP client cost 23 MiB and 0.3 s.
        from services.telemetry.pipeline import Pipeline  # noqa: PLC0415

        to_file = None if spans_go_out() else trace_file
        return cls(Pipeline(service_name, model=model, trace_file=to_file, on_counts=on_counts), model=model)

    @staticmethod
    def preload(trace_file: Path | None) -> None:
        """Loads what `from_environment` will need in children yet to be forked, which so share it; starts nothing.

        Raises OSError when trace_file is to be used and cannot be written.
        """
        if _asked(trace_file):
            import services.telemetry.pipeline  # noqa: F401, PLC0415

            if trace_file is not None and not spans_go_out():
                trace_file.open("ab").close()

    @property
    def counts(self) -> Counts:
        """A consistent view of where spans went so far."""
        return self._pipeline.counts

    @property
    def open_calls(self) -> int:
        """Traced calls that this process has begun, and whose spans are not recorded."""
        return len(self._open)

    def server_call(self, headers: Headers, method: str) -> "CallTrace | None":
        """The trace of a call that this process answers; None unless its caller sampled it.

        method: with or without its leading slash.
        """
        parent = read_headers(headers)
        if parent is None:
            return None
        # The run's span is known before it ends: its steps name it as their parent.
        carried = parent, method.removeprefix("/"), parent.child(), parent.child(), ()
        return CallTrace(self._pipeline, carried, self._model, self._open)

    def same_call(self, carried: "CarriedTrace") -> "CallTrace":
        """The trace of a call that another process of this service has run so far."""
        return CallTrace(self._pipeline, carried, self._model, self._open)

    def end_client_call(
        self,
        root: TraceContext,
        method: str,
        *,
        intended_ns: int,
        sent_ns: int | None,
        ended_ns: int,
        code: int,
        measured: bool = True,
        kind: str = "",
        server: tuple[str, int] | None = None,
    ) -> None:
        """Records `root`, the first span of a trace: a call from its intended send to its end.

        Times are CLOCK_MONOTONIC nanoseconds; `sent_ns` is None when it was never sent. `code`: the gRPC status code.
        `measured`: whether the call counts in the result. `kind`: of the mix, if there is one. `server`: host and port.
        """
        attributes = {
            **from_baggage(root.baggage),
            **_client_attributes(method, code, server),
            "sweetspot.measured": measured,
        }
        if kind:
            attributes["sweetspot.kind"] = kind
        if sent_ns is not None:
            attributes["sweetspot.lateness_ns"] = sent_ns - intended_ns
        self._pipeline.record(
            [
                Span(
                    name=method.removeprefix("/"),
                    kind="CLIENT",
                    context=root,
                    parent_id=None,
                    started_ns=intended_ns,
                    ended_ns=ended_ns,
                    attributes=attributes,
                    error=code != 0,
                    sent_ns=sent_ns,
                )
            ]
        )

    def close(self, timeout_s: float = 5.0) -> None:
        """Exports what still waits, for at most `timeout_s`, then stops; a warning is logged when spans were lost.

        Spans recorded afterwards are dropped. Without it, spans of the last second are lost at exit.
        """
        self._pipeline.close(timeout_s)


class CallTrace:
    """One sampled call that this process answers. Nothing is exported before `end`."""

    __slots__ = ("__weakref__", "_method", "_model", "_open", "_parent", "_pipeline", "_run", "_server", "_steps")

    def __init__(
        self, pipeline: "Pipeline", carried: CarriedTrace, model: Mapping[str, Attribute], open_: "WeakSet[CallTrace]"
    ) -> None:
        """It is one of `open_` until its end, or until it continues elsewhere."""
        open_.add(self)
        self._open = open_
        self._pipeline = pipeline
        self._parent, self._method, self._server, self._run, steps = carried
        self._steps = list(steps)
        self._model = model

    def carried(self, worker: str) -> CarriedTrace:
        """All there is so far, by `worker`, for the process that continues the call; this one ends nothing of it."""
        self._open.discard(self)
        return (
            self._parent,
            self._method,
            self._server,
            self._run,
            tuple(_by({"sweetspot.worker": worker}, self._steps)),
        )

    @property
    def context(self) -> TraceContext:
        """The SERVER span, which stands for the whole call."""
        return self._server

    def step(self, name: str, started_ns: int, ended_ns: int, index: int, **attributes: Attribute) -> None:
        """A step that stayed in this process: `compute`, `sleep`, `block` or `touch`. index: its place in the plan."""
        self._steps.append(
            Span(
                name=name,
                kind="INTERNAL",
                context=self._run.child(),
                parent_id=self._run.span_id,
                started_ns=started_ns,
                ended_ns=ended_ns,
                attributes={"sweetspot.step": index, **attributes},
            )
        )

    def waited(self, stage: str, handed_ns: int, taken_ns: int) -> None:
        """A wait in the queue of one stage of several."""
        self._steps.append(
            Span(
                name=f"queue {stage}",
                kind="INTERNAL",
                context=self._server.child(),
                parent_id=self._server.span_id,
                started_ns=handed_ns,
                ended_ns=taken_ns,
                attributes={"sweetspot.stage": stage},
            )
        )

    def child(self) -> TraceContext:
        """A step that calls another process: its `headers` are to be sent, and `end_child` is to be given it."""
        return self._run.child()

    def end_child(
        self,
        handle: TraceContext,
        started_ns: int,
        ended_ns: int,
        index: int,
        code: int,
        *,
        method: str = "sweetspot.v1.Backend/Fetch",
        server: tuple[str, int] | None = None,
    ) -> None:
        """Records the call begun by `child`. code: the gRPC status code; server: host and port."""
        self._steps.append(
            Span(
                name=method.removeprefix("/"),
                kind="CLIENT",
                context=handle,
                parent_id=self._run.span_id,
                started_ns=started_ns,
                ended_ns=ended_ns,
                attributes={"sweetspot.step": index, **_client_attributes(method, code, server)},
                error=code != 0,
            )
        )

    def end(self, received_ns: int, started_ns: int | None, ended_ns: int, code: int, worker: str) -> None:
        """Records the whole call: SERVER, `queue`, `run` and the steps. Once, and after every step has ended.

        Times are CLOCK_MONOTONIC nanoseconds; started_ns is None when the call did not begin to run (rejected,
        cancelled, no plan). code: the gRPC status code. worker: whatever ran the handler; empty when nothing did.
        """
        who: dict[str, Attribute] = {
            **from_baggage(self._parent.baggage),
            **self._model,
            "sweetspot.worker": worker,
        }
        attributes = server_attributes(self._method, code)
        server = Span(
            name=self._method,
            kind="SERVER",
            context=self._server,
            parent_id=self._parent.span_id,
            started_ns=received_ns,
            ended_ns=ended_ns,
            attributes={**attributes, **who},
            error="error.type" in attributes,
        )
        queue = Span(
            name="queue",
            kind="INTERNAL",
            context=self._server.child(),
            parent_id=self._server.span_id,
            started_ns=received_ns,
            ended_ns=ended_ns if started_ns is None else started_ns,
            attributes=who,
        )
        spans = [server, queue, *_by(who, self._steps)]
        if started_ns is not None:
            run = Span(
                name="run",
                kind="INTERNAL",
                context=self._run,
                parent_id=self._server.span_id,
                started_ns=started_ns,
                ended_ns=ended_ns,
                attributes=who,
            )
            spans.append(run)
        self._pipeline.record(spans)
        self._open.discard(self)


def _by(who: Mapping[str, Attribute], steps: Iterable[Span]) -> list[Span]:
    """The steps; those that are not claimed so far are theirs."""
    return [replace(step, attributes={**who, **step.attributes}) for step in steps]


def _asked(trace_file: Path | None) -> bool:
    return not tracing_is_off() and (spans_go_out() or trace_file is not None)


def _status(code: int) -> str:
    # grpc/doc/statuscodes.md: a code that is none of the 17 counts as UNKNOWN.
    return _STATUS_CODES[code] if 0 <= code < len(_STATUS_CODES) else "UNKNOWN"


def server_attributes(method: str, code: int) -> dict[str, str]:
    """What a call is to the process that answers it: attributes of its span and of its duration.

    method: with or without its leading slash. code: the gRPC status code.
    """
    status = _status(code)
    return _call_attributes(method, status, error=status in _SERVER_ERRORS)


def _call_attributes(method: str, status: str, *, error: bool) -> dict[str, str]:
    attributes = {
        "rpc.system.name": "grpc",
        "rpc.method": method.removeprefix("/"),
        "rpc.response.status_code": status,
    }
    if error:
        attributes["error.type"] = status
    return attributes


def _client_attributes(method: str, code: int, server: tuple[str, int] | None) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {**_call_attributes(method, _status(code), error=code != 0)}
    if server is not None:
        attributes["server.address"], attributes["server.port"] = server
    return attributes
