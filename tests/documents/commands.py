"""The commands of README and docs/: each line of a block of shell, as a shell splits it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.documents import markdown
from tests.documents.places import guides, read

OPERATORS = {"&&", "||", ";", "|", "&"}


@dataclass(frozen=True, slots=True)
class Command:
    """One command, and where it stands."""

    place: str
    """As docs/cli.md:12."""
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """As one would type it."""
        return shlex.join(self.words)


def every() -> list[Command]:
    """All of them, each once."""
    found: dict[tuple[str, ...], Command] = {}
    for document in guides():
        for command in commands(document):
            found.setdefault(command.words, command)
    return list(found.values())


def commands(document: str) -> Iterator[Command]:
    """Those of one document."""
    for block in markdown.blocks(read(document), "sh"):
        line = block.line
        for text in re.split(r"(?<!\\)\n", block.text):
            for words in split(text.replace("\\\n", " ")):
                yield Command(f"{document}:{line}", words)
            line += text.count("\n") + 1


def split(line: str) -> Iterator[tuple[str, ...]]:
    """The commands of a line, without comments, variables that are set for one command, and where output goes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in OPERATORS:
            if words:
                yield tuple(_command(words))
            words = []
        else:
            words.append(word)


def _command(words: list[str]) -> Iterator[str]:
    rest = iter(words)
    first = next(rest)
    while re.fullmatch(r"[A-Z_]+=.*", first):
        first = next(rest)
    yield first.removeprefix(".venv/bin/").replace("python3", "python")
    for word in rest:
        if word in (">", ">>", "<", "2>"):
            next(rest)
        else:
            yield word
