"""The question of a map: which kinds of calls, how many connections, which models. Must not know the results."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.experiment import Arm, Experiment, Load
from tools.experiment.experiment import SliceLength
from tools.maps.words import described
from tools.units import count

REPLY_BYTES = 128
WARMUP_S, DURATION_S = 0.2, 0.5
MANY = 500
"""With more connections than these, it takes longer until each client has had an answer."""
OF_MANY = SliceLength(warmup_s=1.0, duration_s=2.0)
ROUNDS = 3
"""Fewer are provisional (tools/stats/estimate.py)."""


@dataclass(frozen=True, slots=True, order=True)
class MapKind:
    """Calls that are alike."""

    cpu_ms: float
    """CPU time of the handler, in Python. Milliseconds."""
    wait_ms: float
    """For how long it waits for the backend. Milliseconds."""

    @property
    def key(self) -> str:
        """Names its folder."""
        return f"cpu-{self.cpu_ms:g}ms-wait-{self.wait_ms:g}ms"

    @property
    def plan(self) -> dict[str, Any]:
        """What each call asks for."""
        steps: list[dict[str, Any]] = []
        if self.cpu_ms:
            steps.append({"compute": {"cpu_us": 1000 * self.cpu_ms, "engine": "ENGINE_PYTHON"}})
        if self.wait_ms:
            steps.append({"call": {"delay_us": round(1000 * self.wait_ms), "reply_bytes": REPLY_BYTES}})
        return {"steps": steps} if steps else {}


@dataclass(frozen=True, slots=True)
class Question:
    """All of it, as `map.json` stores it."""

    models: tuple[str, ...]
    cpu_ms: tuple[float, ...]
    wait_ms: tuple[float, ...]
    connections: tuple[int, ...]

    @property
    def kinds(self) -> Iterator[MapKind]:
        """In the order in which they are measured."""
        return (MapKind(cpu_ms, wait_ms) for cpu_ms in sorted(self.cpu_ms) for wait_ms in sorted(self.wait_ms))


def experiment_of(question: Question, kind: MapKind) -> Experiment:
    """A closed loop with one call at a time on each connection, so the arms show what they serve at most."""
    connections = tuple(sorted(question.connections))
    return Experiment(
        title=f"Which model serves most calls of {described(kind.cpu_ms, kind.wait_ms)}, with "
        f"{' or '.join(map(count, connections))} connections?",
        arms={model: Arm(model=model) for model in question.models},
        load=Load(connections=connections, streams=(1,)),
        plan=kind.plan,
        warmup_s=WARMUP_S,
        duration_s=DURATION_S,
        windows={number: OF_MANY for number in connections if number > MANY},
        rounds=ROUNDS,
        trace_ratio=0,
    )
