"""What this machine has: an interpreter counts as one without the lock only if it reports that in time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.claims import availability


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    availability.free_threaded.cache_clear()
    yield
    availability.free_threaded.cache_clear()


@pytest.mark.parametrize(
    ("answer", "found"),
    [("exit 0", True), ("exit 1", False), ("exec sleep 60", False)],
    ids=["free", "locked", "hangs"],
)
def test_an_interpreter_that_does_not_say_that_it_is_free_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, found: bool
) -> None:
    python = tmp_path / "python3.14t"
    python.write_text(f"#!/bin/sh\n{answer}\n")
    python.chmod(0o755)
    monkeypatch.setenv(availability.FREE_THREADED, str(python))
    if "sleep" in answer:
        monkeypatch.setattr(availability, "CHECK_TIMEOUT_S", 0.2)
    assert availability.free_threaded() == (str(python) if found else None)
