"""Trials on disk: whole, checked, and clear about what is wrong with them."""

import json
from pathlib import Path

import pytest

from tests.tools.sample import trial
from tools.results import (
    BadResultsError,
    StoredTrials,
    TrialId,
    read_trial,
    read_trials,
    trial_path,
    write_trial,
    write_void,
)


def test_a_trial_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = trial("reactor", 10)
    assert read_trial(write_trial(tmp_path, written)) == written


def test_a_trial_is_kept_under_its_arm_point_and_round(tmp_path: Path) -> None:
    assert write_trial(tmp_path, trial("thread_pool", 100)) == tmp_path / "trials" / "thread_pool-100-1.json"


def test_a_trial_is_kept_or_void_as_was_said_last(tmp_path: Path) -> None:
    path = write_trial(tmp_path, trial("reactor", 10))
    write_void(tmp_path, TrialId("reactor", "10"), "it crashed")
    assert read_trials(tmp_path) == StoredTrials((), (), void=((TrialId("reactor", "10"), "it crashed"),))
    write_trial(tmp_path, trial("reactor", 10))
    assert list(path.parent.iterdir()) == [path]


def test_trials_come_by_model_and_then_by_number_not_by_spelling(tmp_path: Path) -> None:
    for model, connections in (("reactor", 100), ("reactor", 9), ("coroutines", 1000)):
        write_trial(tmp_path, trial(model, connections))
    found = [(each.model, each.connections) for each in read_trials(tmp_path).trials]
    assert found == [("coroutines", 1000), ("reactor", 9), ("reactor", 100)]


def test_a_write_that_fails_leaves_the_earlier_trial_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_trial(tmp_path, trial("reactor", 10))
    before = path.read_text()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BadResultsError, match="No space left on device"):
        write_trial(tmp_path, trial("reactor", 10, checksums={}))
    assert path.read_text() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_trial_that_breaks_the_schema_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadResultsError, match=r"at \$\.result\.calls"):
        write_trial(tmp_path, trial("reactor", 10, calls={"ok": 1}))
    assert not (tmp_path / "trials").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "not JSON"),
        ('{"version": 1', "not JSON"),
        ("[]", "is not of type 'object'"),
        ("{}", "is a required property"),
        (b"\xff\xfe", "not JSON"),
    ],
    ids=["empty", "cut short", "a list", "no keys", "not text"],
)
def test_a_broken_trial_file_is_named_and_the_others_are_still_read(
    tmp_path: Path, content: str | bytes, complaint: str
) -> None:
    write_trial(tmp_path, trial("reactor", 10))
    trial_path(tmp_path, TrialId("reactor", "100")).write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    found = read_trials(tmp_path)
    assert [each.connections for each in found.trials] == [10]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("trials/reactor-100-1.json: ")
    assert complaint in found.problems[0]
    assert "\n" not in found.problems[0]


@pytest.mark.parametrize("change", [{"version": 1}, {"before": {"cpu_user_ns": "much"}}, {"after": {"no_field": 1}}])
def test_a_trial_of_another_form_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = write_trial(tmp_path, trial("reactor", 10))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadResultsError, match=path.name):
        read_trial(path)


def test_a_folder_without_trials_is_not_a_results_folder(tmp_path: Path) -> None:
    with pytest.raises(BadResultsError, match="not a results folder"):
        read_trials(tmp_path)
