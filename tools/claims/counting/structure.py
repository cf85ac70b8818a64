"""What each model is made of, and whether all of them answer alike: one start of each model and variant.

Must not know a model, nor what a number should be.
"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools.claims.counting.answers import CallAnswer, answers
from tools.claims.counting.matrix import matrix
from tools.claims.counting.parts import clients, made_of
from tools.claims.counting.starts import key, serving_each
from tools.control import ControlClient
from tools.local import Programs
from tools.serving import LocalService, LocalSetup, serving_backend

CLIENTS = 3
PATIENCE_S = 1.0
"""For a client that may have to wait for another one to leave."""


def count(programs: Programs) -> dict[str, Any]:
    """Start -> its parts and its stages; the answers of all; and the combinations that they are. Raises LocalError."""
    counted: dict[str, Any] = {}
    given: list[dict[str, CallAnswer]] = []
    found: list[tuple[str, ...]] = []
    kinds = programs.kinds()
    with serving_backend(LocalSetup(Path(), programs, None, traced=False)) as backend:
        for start, service in serving_each(programs, list(kinds), "--backend", backend.address):
            counted[key(start)] = _parts(service)
            given.append(_answers(service))
            found.append(kinds[start])
    return {
        "starts": counted,
        "answers": compared(given),
        "matrix": matrix(found),
        "not_here": len(kinds) - len(counted),
    }


def compared(given: list[dict[str, CallAnswer]]) -> dict[str, int]:
    """How many sets of answers there are, and how many starts give another one than most do."""
    sets = Counter(tuple(each.items()) for each in given)
    return {
        "starts": len(given),
        "questions": len(given[0]),
        "sets": len(sets),
        "others": len(given) - max(sets.values()),
    }


def _answers(service: LocalService) -> dict[str, CallAnswer]:
    with clients(service.address, 1) as (channel,):
        return answers(channel)


def _parts(service: LocalService) -> dict[str, int]:
    with clients(service.address, CLIENTS, PATIENCE_S):
        parts = made_of(service.control)
    with ControlClient(service.control) as control:
        return {**asdict(parts), "stages": len(control.snapshot().stages)}
