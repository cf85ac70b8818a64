"""Checkpoints: every sample is in them once, and a file that was cut short is read up to its last whole record."""

from array import array
from itertools import repeat
from pathlib import Path

import pytest

from services.driver import checkpoint
from services.driver.checkpoint import Checkpoint
from services.driver.load import LoadGenerator
from services.driver.outcome import Outcome
from services.driver.schedule import Window
from tests.driver.fake_service import Act, FakeService
from tests.driver.runs import EMPTY, options


def written(path: Path) -> "dict[str, array[int]]":
    """Two checkpoints of two kinds of call; of the second kind nothing comes after the first."""
    outcome = Outcome(Window(0, 1))
    keep = Checkpoint(path)
    outcome.books["short"].latencies.extend([1, 2, 3])
    outcome.books["long"].latencies.extend([10**12])
    keep(outcome)
    outcome.books["short"].latencies.extend([4])
    keep(outcome)
    return {kind: book.latencies for kind, book in outcome.books.items()}


def test_every_latency_is_written_once(tmp_path: Path) -> None:
    assert written(tmp_path / "kept") == checkpoint.read(tmp_path / "kept")


def test_a_file_cut_anywhere_is_read_up_to_its_last_whole_record(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    written(path)
    whole = path.read_bytes()
    found = []
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        found.append(sum(map(len, checkpoint.read(path).values())))
    assert found == sorted(found)
    assert set(found) == {0, 3, 4, 5}


def test_a_disk_that_is_full_costs_no_more_than_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "kept").symlink_to("/dev/full")
    written(tmp_path / "kept")


def test_a_load_makes_a_checkpoint_within_every_second_and_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.driver.load.CHECKPOINT_NS", 20_000_000)
    counts: list[int] = []
    with FakeService(lambda _: Act.REPLY).running() as address:
        asked = options(address, streams=None, rate_rps=500.0)
        load = LoadGenerator(
            asked, repeat(EMPTY), None, print, checkpoint=lambda each: counts.append(len(each.latencies))
        )
        load.open_connections()
        load.run()
    assert counts[-1] == 150
    assert len(set(counts)) > 5
