"""What a shard has measured so far, on disk: of a shard that is killed, one second of samples is lost at most.

Each second a record for each kind of call is appended: a line of JSON with counts, then the latencies since the last
record, 8 bytes each in the machine's order. To append the samples of a busy second, 0.5 MB, takes 0.3 ms; to make a
histogram of them would take 10 ms, in which no call is sent. Must not know when it is time.
"""

import json
from array import array
from collections import defaultdict
from pathlib import Path
from time import monotonic_ns as clock

from services.driver.outcome import Outcome
from services.driver.samples import samples

CHECKPOINT_NS = 1_000_000_000
"""The longest time between two checkpoints."""


class Checkpoint:
    """A file that grows while a slice lasts."""

    def __init__(self, path: Path) -> None:
        """Makes the file, empty. Raises OSError."""
        path.write_bytes(b"")
        self._path = path
        self._cut = False
        """The disk took no whole record: nothing can follow."""
        self._written: defaultdict[str, int] = defaultdict(int)

    def __call__(self, outcome: Outcome) -> None:
        """Appends what is new in the books, unless the disk is full."""
        if self._cut:
            return
        data = b""
        for kind, book in outcome.books.items():
            new = book.latencies[self._written[kind] :]
            self._written[kind] += len(new)
            accounts = book.accounts
            head = {
                "monotonic_ns": clock(),
                "kind": kind,
                "planned": accounts.planned,
                "ok": accounts.ok,
                "failed": accounts.by_status.total(),
                "timed_out": accounts.timed_out,
                "latencies": len(new),
            }
            data += json.dumps(head).encode() + b"\n" + new.tobytes()
        try:
            with self._path.open("ab", buffering=0) as file:
                self._cut = file.write(data) != len(data)
        except OSError:
            self._cut = True


def read(path: Path) -> "dict[str, array[int]]":
    """The latencies of each kind in nanoseconds, up to the last whole record. Raises OSError."""
    found: defaultdict[str, array[int]] = defaultdict(samples)
    with path.open("rb") as file:
        while (line := file.readline()).endswith(b"\n"):
            head = json.loads(line)
            new = samples()
            data = file.read(head["latencies"] * new.itemsize)
            if len(data) < head["latencies"] * new.itemsize:
                break
            new.frombytes(data)
            found[head["kind"]].extend(new)
    return dict(found)
