"""Where a call waits and for what, from the spans of one call: does every model draw the same graph?

After Lauer and Needham, On the Duality of Operating System Structures (1978): programs that correspond have "the same
blocking points". Must not know a model, nor how it waits.
"""

import tempfile
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweetspot.v1.workload_pb2 import Call, Compute, RunReply, RunRequest, Sleep, Step, Touch

from tools.claims.counting.starts import serving_each
from tools.control import open_channel
from tools.local import LocalError, Programs
from tools.report.spans import StoredSpan, read_spans
from tools.serving import LocalService, LocalSetup, serving_backend

PLAN = RunRequest(
    steps=[
        Step(compute=Compute(rounds=50)),
        Step(call=Call(delay_us=1000)),
        Step(touch=Touch(working_set_kib=4)),
        Step(sleep=Sleep(duration_us=1000)),
        Step(compute=Compute(rounds=50)),
    ]
)
WAITS = ("sweetspot.v1.Backend/Fetch", "sleep")
"""Spans of what a call waits for."""
QUEUE = "queue"
"""What spans of a wait for a worker begin with: those are the model's own, and no part of the program."""
TIMEOUT_S = 20.0

Node = tuple[str, str, tuple[str, ...]]
"""An operation: its name, that of the operation which it is a part of, and of that one's parts those over before it."""
Graph = tuple[Node, ...]


def count(programs: Programs) -> dict[str, Any]:
    """How many models and variants there are, and how many graphs their calls draw. Raises LocalError."""
    with tempfile.TemporaryDirectory(prefix="sweetspot-") as name:
        folder = Path(name)
        traces = folder / "traces"
        traces.mkdir()
        with serving_backend(LocalSetup(folder, programs, None, traced=False)) as backend:
            options = "--backend", backend.address, "--trace-file", str(traces / "spans.jsonl")
            calls = {_call(service): start for start, service in serving_each(programs, programs.starts(), *options)}
        spans, _ = read_spans(folder, calls)
    missing = [" ".join(start) for trace, start in calls.items() if trace not in spans]
    if missing:
        raise LocalError(f"no spans of {missing[0]}")
    return compared([graph(of_call) for of_call in spans.values()])


def compared(drawn: Sequence[Graph]) -> dict[str, int]:
    """How many starts and graphs there are, how many starts draw another one than most, and the waits in that."""
    graphs = Counter(drawn)
    most, times = graphs.most_common(1)[0]
    return {
        "starts": len(drawn),
        "graphs": len(graphs),
        "others": len(drawn) - times,
        "waits": sum(name in WAITS for name, _, _ in most),
    }


def graph(spans: Sequence[StoredSpan]) -> Graph:
    """Its nodes, in an order that does not depend on that of the spans."""
    names = {span.span_id: span.name for span in spans}
    return tuple(
        sorted(
            (span.name, names.get(span.parent_id, ""), _before(span, spans))
            for span in spans
            if not span.name.startswith(QUEUE)
        )
    )


def _before(span: StoredSpan, spans: Sequence[StoredSpan]) -> tuple[str, ...]:
    return tuple(
        sorted(
            other.name
            for other in spans
            if other.parent_id == span.parent_id and other.end_ns <= span.start_ns and not other.name.startswith(QUEUE)
        )
    )


def _call(service: LocalService) -> str:
    """Makes one traced call; its trace id."""
    trace = uuid.uuid4().hex
    with open_channel(service.address) as channel:
        run = channel.unary_unary("/sweetspot.v1.Workload/Run", RunRequest.SerializeToString, RunReply.FromString)
        run(PLAN, timeout=TIMEOUT_S, metadata=[("traceparent", f"00-{trace}-{trace[:16]}-01")])
    return trace
