"""The models and their variants as services of this machine: as many as it can start, a few at a time.

Must not know what they are asked.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from tools.local import LocalError, Programs, started
from tools.serving import LocalService, listening

NOT_HERE = 3
"""Exit status of a service that cannot run on this machine (services/runtime/refusal.py)."""
AT_A_TIME = 4
"""Services that start together: what one waits for leaves the processor to the next."""

Start = tuple[str, ...]
"""A model and its options."""


def key(start: Sequence[str]) -> str:
    """A start as a part of a path: `process_pool_threads_4`."""
    return "_".join(start).replace("--", "").replace("-", "_")


def serving_each(programs: Programs, starts: Sequence[Start], *options: str) -> Iterator[tuple[Start, LocalService]]:
    """Each of them while it listens, with those options more; without what this machine cannot start.

    Raises LocalError.
    """
    for first in range(0, len(starts), AT_A_TIME):
        batch = starts[first : first + AT_A_TIME]
        with ExitStack() as stack:
            processes = [
                stack.enter_context(started(start[0], [*programs.services, *start, "--port=0", *options]))
                for start in batch
            ]
            for start, process in zip(batch, processes, strict=True):
                try:
                    service = listening(process)
                except LocalError:
                    if process.status == NOT_HERE:
                        continue
                    raise
                yield start, service
                process.ask_to_end()
