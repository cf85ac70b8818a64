"""The CPU time of a call, divided: the code of the user, the wire, the kernel, and the model.

The code of the user is what was asked, at the fastest speed of the machine. The wire was measured in memory
(`services.wire.cost`). The kernel's part is the system time of the service. The rest is the model: its scheduling, its
locks, and what a slower moment of the machine added.
"""

from tools.families import GRPCIO
from tools.local import Programs, json_of
from tools.size.need import Need
from tools.size.shapes import PodShape
from tools.units import duration

MEASURING_TIMEOUT_S = 30.0


def divided(need: Need, shape: PodShape, wire_ns: float | None) -> str:
    """As `coroutines: 500 µs = 300 µs your code + 7 µs wire + 60 µs kernel + 133 µs model`; empty if unknown."""
    if shape.cpu_ns is None or shape.user_share is None:
        return ""
    parts = {"your code": need.cost.cpu_ms * 1e6}
    rest = "model and wire"  # of gRPC's core, whose wire cannot be measured apart
    if wire_ns is not None and not shape.model.startswith(GRPCIO):
        parts["wire"] = wire_ns
        rest = "model"
    parts["kernel"] = shape.cpu_ns * (1 - shape.user_share)
    parts[rest] = max(0.0, shape.cpu_ns - sum(parts.values()))
    return f"{shape.model}: {duration(shape.cpu_ns)} = {' + '.join(f'{duration(ns)} {of}' for of, ns in parts.items())}"


def measured(programs: Programs) -> float:
    """The wire's part for each call here, in nanoseconds. Takes 0.2 s. Raises LocalError."""
    found: dict[str, float] = json_of("wire", programs.wire, MEASURING_TIMEOUT_S)
    return found["wire_ns"]
