"""One traced call as a waterfall of spans, and where its latency went. Must not know files or HTML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.report.spans import CLIENT, StoredSpan
from tools.traces import StoredCall


@dataclass(frozen=True, slots=True)
class Account:
    """Where a call's latency went. Nanoseconds; the parts add up to the latency exactly."""

    latency_ns: float
    lateness_ns: float
    """From the intended send to the actual one: the driver's."""
    wire_ns: float
    """Outside of the service's span: both kernels, the network, bytes that no process has read yet."""
    queue_ns: float
    """Received whole, waiting for a worker; or between two steps, waiting for the worker of the next one."""
    running_ns: float
    """In the handler, not waiting."""
    waiting_ns: float
    """In the handler, waiting for the backend or a timer."""

    @property
    def service_time_ns(self) -> float:
        return self.latency_ns - self.lateness_ns

    @property
    def run_ns(self) -> float:
        return self.running_ns + self.waiting_ns

    @property
    def unexplained_ns(self) -> float:
        """Time that no span covers; below 0 if clocks disagree."""
        return self.service_time_ns - self.wire_ns - self.queue_ns - self.run_ns

    def parts(self) -> dict[str, float]:
        """Name -> nanoseconds, in the order in which a call goes through them."""
        return {
            "lateness": self.lateness_ns,
            "wire": self.wire_ns,
            "queue": self.queue_ns,
            "running": self.running_ns,
            "waiting": self.waiting_ns,
            "unexplained": self.unexplained_ns,
        }


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the waterfall."""

    span: StoredSpan
    depth: int
    """0 for the driver's span."""
    offset_ns: float
    """From the intended send."""
    role: str
    """`driver`, `whole` (has parts of its own), `queue`, `running`, `waiting`, or `other` (the backend's)."""


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A traced call, taken apart."""

    call: StoredCall
    bars: Sequence[Bar]
    account: Account | None
    """None if the driver's or the service's span was not recorded."""
    total_ns: float
    """The time that the width of the waterfall stands for."""


def waterfall(call: StoredCall, spans: Sequence[StoredSpan]) -> Waterfall:
    """Takes a call apart; a span whose parent was not recorded starts a tree of its own."""
    known = {span.span_id for span in spans}
    children: dict[str, list[StoredSpan]] = {}
    for span in sorted(spans, key=lambda span: (span.start_ns, -span.end_ns)):
        children.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)
    roots = children.get("", [])
    driver = next((span for span in roots if not span.parent_id), None)
    service = next(iter(children.get(driver.span_id, [])), None) if driver else None
    account = _account(call, driver, service, children) if driver and service else None
    begin = (driver or roots[0]).start_ns if roots else 0
    bars = [
        Bar(span, depth, span.start_ns - begin, _role(span, driver, service)) for span, depth in _walk(children, "", 0)
    ]
    return Waterfall(
        call, bars, account, max([call.latency_ns, *(bar.offset_ns + bar.span.duration_ns for bar in bars)])
    )


def _account(
    call: StoredCall, driver: StoredSpan, service: StoredSpan, children: Mapping[str, Sequence[StoredSpan]]
) -> Account:
    parts = children.get(service.span_id, [])
    run = next((span for span in parts if span.name == "run"), None)
    run_ns = run.duration_ns if run else 0
    # In a model with several stages it waits in queues between its steps, too.
    between_ns = sum(span.duration_ns for span in parts if _queues(span) and run and span.start_ns >= run.start_ns)
    waiting_ns = sum(step.duration_ns for step in children.get(run.span_id, []) if _waits(step)) if run else 0
    # The driver's span starts at the intended send.
    lateness_ns = int(driver.attributes.get("sweetspot.lateness_ns", 0))
    return Account(
        latency_ns=call.latency_ns,
        lateness_ns=lateness_ns,
        wire_ns=driver.duration_ns - lateness_ns - service.duration_ns,
        queue_ns=sum(span.duration_ns for span in parts if span.name == "queue") + between_ns,
        running_ns=run_ns - waiting_ns - between_ns,
        waiting_ns=waiting_ns,
    )


def _walk(children: Mapping[str, Sequence[StoredSpan]], parent_id: str, depth: int) -> Iterator[tuple[StoredSpan, int]]:
    for span in children.get(parent_id, []):
        yield span, depth
        yield from _walk(children, span.span_id, depth + 1)


def _queues(part: StoredSpan) -> bool:
    return part.name == "queue" or part.name.startswith("queue ")


def _waits(step: StoredSpan) -> bool:
    return step.kind == CLIENT or step.name == "sleep"


def _role(span: StoredSpan, driver: StoredSpan | None, service: StoredSpan | None) -> str:
    if span is driver:
        return "driver"
    if service is None or span.process != service.process:
        return "other"
    if span is service or span.name == "run":
        return "whole"
    if _queues(span):
        return "queue"
    return "waiting" if _waits(span) else "running"
