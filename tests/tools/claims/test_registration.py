"""What decides a claim changes only with a note that has the reason, or the check fails."""

from pathlib import Path
from typing import Any

import pytest

from tests.tools.claims.made import ask, in_place, state
from tools import cli
from tools.claims import registration

BLOCK = """
title: Who waits?
arms: {loop: {model: reactor}, threads: {model: thread_pool}}
load: {connections: 20, rate_rps: 400}
mix: {innocent: {share: 9}, blocking: {share: 1, steps: [{block: {duration_us: 9}}]}}
"""
NOTE = {"day": "2026-12-01", "why": "Two runs of one model differed by more."}
UNNOTED = "its statistic, threshold or experiment changed: add the reason under `changed` in its file, then"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of that of the claims. It has one claim, which is registered."""
    in_place(tmp_path, monkeypatch, block=BLOCK)
    monkeypatch.setattr(registration, "PATH", tmp_path / "registered.json")
    state(tmp_path)
    assert cli.main(["claims", "--register"]) == 0
    return tmp_path


def check(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Its status, and the one line that it prints."""
    capsys.readouterr()
    status = cli.main(["claims", "--check"])
    (line,) = capsys.readouterr().out.splitlines()
    return status, line


def register(capsys: pytest.CaptureFixture[str]) -> str:
    """What it complains of."""
    capsys.readouterr()
    cli.main(["claims", "--register"])
    return capsys.readouterr().err


def test_a_claim_is_as_it_was_registered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state(folder, says="A handler that blocks stalls all.", scope="Two CPUs.", needs={"cpus": 2})
    ask(folder, "block", f"# Who waits for whom.\n{BLOCK}")
    assert check(capsys) == (0, "1 claims, each as it was registered")


@pytest.mark.parametrize(
    "change",
    [
        {"holds_if": {"at_least": 2}},
        {"statistic": {"measure": "latency_p90_ns", "ratio": ["loop", "threads"]}},
        {"and": [{"statistic": {"measure": "rate_rps", "value": "loop"}, "holds_if": {"at_least": 1}}]},
        {"experiment": "wait"},
    ],
    ids=["threshold", "statistic", "clause", "experiment"],
)
def test_what_decides_a_claim_changes_with_a_note_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    (folder / "experiments" / "wait.yaml").write_text(BLOCK)
    state(folder, **change)
    assert check(capsys) == (1, f"C12: {UNNOTED} sweetspot claims --register")
    assert f"C12: {UNNOTED}" in register(capsys)
    state(folder, **change, changed=[NOTE])
    assert check(capsys) == (1, "C12: a change of it is noted and not registered: sweetspot claims --register")
    assert register(capsys) == ""
    assert check(capsys) == (0, "1 claims, each as it was registered")


def test_so_does_the_experiment_that_it_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(folder, "block", BLOCK.replace("400", "300"))
    assert check(capsys)[0] == 1
    state(folder, changed=[NOTE])
    assert register(capsys) == ""
    assert check(capsys)[0] == 0


def test_one_note_is_for_one_change(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state(folder, holds_if={"at_least": 4}, changed=[NOTE])
    assert register(capsys) == ""
    state(folder, holds_if={"at_least": 3}, changed=[NOTE])
    assert check(capsys) == (1, f"C12: {UNNOTED} sweetspot claims --register")
    state(folder, holds_if={"at_least": 4})
    assert check(capsys) == (1, "C12: its file names 0 changes, and 1 were registered: restore them")


def test_a_new_claim_is_to_be_registered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state(folder, claim="C13")
    assert check(capsys) == (1, "C13 is not registered: sweetspot claims --register")
    assert register(capsys) == ""
    assert check(capsys)[0] == 0


def test_a_claim_cannot_be_withdrawn_in_silence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "statements" / "C12.yaml").unlink()
    assert check(capsys) == (1, "C12 is registered and has no file: restore it")
    assert "C12 is registered and has no file" in register(capsys)


def test_every_claim_that_cannot_be_read_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state(folder, holds_if={})
    state(folder, claim="C13", experiment="lock")
    capsys.readouterr()
    assert cli.main(["claims", "--check"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"sweetspot: {folder}/statements/C12.yaml: at $.holds_if: ")
    assert second.startswith(f"sweetspot: {folder}/statements/C13.yaml: at $.experiment: ")
