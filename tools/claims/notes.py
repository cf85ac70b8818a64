"""The notes that the claims are about, line by line. Must not know what was measured."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from tools import strict_yaml

PATH = Path(__file__).with_name("notes.yaml")


class SourceLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line that makes a statement."""

    english: str
    text: str = ""
    """As quoted; empty where it is known in English alone."""
    heading: str = ""
    """The heading above it, if it is the first line below that heading."""


@cache
def read() -> Mapping[str, SourceLine]:
    """`L37` -> the line, in the order of the notes."""
    return msgspec.convert(strict_yaml.load(PATH.read_text(encoding="utf-8")), dict[str, SourceLine])
