"""The parts of a trial become its result by the driver's own program, which is a process of its own."""

import pytest

from tests.tools.cluster.runs import parts
from tools.cluster import store
from tools.cluster.store import VoidTrialError, assemble
from tools.local import Programs


def test_the_shards_of_a_trial_are_added_up() -> None:
    found = parts(2)
    result = assemble(found, Programs()).result
    assert [shard["index"] for shard in result["shards"]] == [0, 1]
    assert result["calls"]["ok"] == sum(part["result"]["calls"]["ok"] for part in found)


def test_a_shard_that_is_missing_is_named_as_the_program_names_it() -> None:
    with pytest.raises(VoidTrialError, match=r"^shard 1 of 2 wrote no result"):
        assemble(parts(2)[:1], Programs())


def test_a_program_that_does_not_end_makes_the_trial_void(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MERGE_TIMEOUT_S", 0.01)
    with pytest.raises(VoidTrialError, match="not merged within"):
        assemble(parts(1), Programs())


def test_a_program_that_cannot_be_imported_is_reported_by_its_last_line() -> None:
    with pytest.raises(VoidTrialError, match=r"No module named services\.driver\.no_such"):
        assemble(parts(1), Programs(merge=(Programs().merge[0], "-m", "services.driver.no_such")))
