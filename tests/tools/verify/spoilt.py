"""Folders with changed files, and what the command reports about them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import cli


def verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Exit status and lines of `sweetspot verify`."""
    status = cli.main(["verify", str(folder)])
    said = capsys.readouterr()
    assert said.err == ""
    return status, said.out.splitlines()


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Changes a file of the folder: the first match of a regular expression."""

    def spoil(folder: Path) -> None:
        text = (folder / name).read_text()
        changed = re.sub(old, new, text, count=1)
        assert changed != text
        (folder / name).write_text(changed)

    return spoil
