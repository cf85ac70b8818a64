"""Sentences of a text, and how long they are. A piece of code counts as one word."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_END = re.compile(r"""[.!?]["')\]]*(?=\s+["'(\[`]*[A-Z0-9`])""")
_NO_END = re.compile(r"(?:\b(?:e\.g|i\.e|et al|cf|vs|approx|No|pp?|ch)|\b[A-Z])\.$")
_CODE = re.compile(r"`+[^`]*`+")
_MARK = re.compile(r"\s*\[(?:not )?[CT]\d+[a-z]?\]")
"""The claim that a sentence rests on, as [C12] or [not C5]."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and where it stands."""

    place: str
    text: str

    @property
    def words(self) -> int:
        """How many it has."""
        return count(self.text)


def count(text: str) -> int:
    """Words: what has a letter or a digit; code in backticks is one."""
    return sum(re.search(r"\w", word) is not None for word in _CODE.sub("code", text).split())


def split(text: str, place: str) -> Iterator[Sentence]:
    """The sentences of a paragraph, of an item or of a cell."""
    whole = _MARK.sub("", " ".join(text.split()))
    begin = 0
    for match in _END.finditer(_hidden(whole)):
        if not _NO_END.search(whole[: match.start() + 1]):
            yield Sentence(place, whole[begin : match.end()].strip())
            begin = match.end()
    if whole[begin:].strip():
        yield Sentence(place, whole[begin:].strip())


def _hidden(text: str) -> str:
    """The same with nothing in its code that could end a sentence."""
    return _CODE.sub(lambda code: "`" + "x" * (len(code[0]) - 2) + "`", text)
