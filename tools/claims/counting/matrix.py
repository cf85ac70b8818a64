"""Which combinations of task management and I/O management there are, and which are holes.

Must not know a model.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

TASKS = ("preemptive", "cooperative")
IO = ("blocking", "non-blocking", "completion")
READINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "notes": {"synchronous": ("blocking", "non-blocking"), "asynchronous": ("completion",)},
    "thesis": {"synchronous": ("blocking",), "asynchronous": ("non-blocking", "completion")},
}
"""What synchronous is. The notes call a reactor synchronous (L34); the thesis files epoll under asynchronous I/O."""


def matrix(kinds: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """Reading -> how many starts are in each cell, and how many cells have none. `kinds`: tasks and I/O of each start.

    What is serial is in no cell: it has no task management.
    """
    starts = Counter(kinds)
    found: dict[str, Any] = {}
    for reading, meanings in {**READINGS, "finest": {io: (io,) for io in IO}}.items():
        cells = {
            f"{tasks}_{name}".replace("-", "_"): sum(starts[tasks, each] for each in io)
            for tasks in TASKS
            for name, io in meanings.items()
        }
        found[reading] = {**cells, "cells": len(cells), "holes": sum(not number for number in cells.values())}
    return found
