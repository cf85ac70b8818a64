"""`python -m tests.documents.words [FILE ...]`: how long the sentences are, and which words they should not have.

Prints a row for each group of files: the number of sentences, the mean of their words, the longest and its place. Then
come the sentences that are too long and the words that the style forbids, of the groups that a test holds to both. With
FILE ... it is of these documents alone.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.documents import help_texts, markdown, python_texts, yaml_texts
from tests.documents.places import CHART_VALUES, CLI, CONTRIBUTING, MODELS, README, ROOT, VERDICTS, documents, read
from tests.documents.sentences import Sentence, split

MOST_WORDS, MOST_MEAN = 35, 18.0
LEAST_WORDS = 4
"""What is shorter counts for no mean: most cells of tables are names and figures."""
GENERATED = (CLI, MODELS, CHART_VALUES, VERDICTS)
"""Pages that are measured where their words are written: in help texts, docstrings and comments."""

INSTEAD = {
    r"tells?|told": "state, report, inform",
    r"says?|said": "state, print, mean",
    r"hears?|heard": "receive, be notified",
    r"keeps|kept": "store, retain",
    r"whoever": "the client, the user, ...",
    r"nobody": "no client, no process, ...",
    r"meanwhile": "during this time",
    r"goes on|go on|went on": "continue",
    r"what parts": "the difference is",
    r"(?:is|are|was|were|be) refused": "is rejected",
}
"""Words that this project does not use, and what to write."""
_FORBIDDEN = {
    re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE): instead for words, instead in INSTEAD.items()
}
_QUOTED = re.compile(r'`+[^`]*`+|"[^"]*"')
_CLAIMS = re.compile(r"<!-- claims:start -->.*<!-- claims:end -->", re.DOTALL)
"""The claims of the README, which are those of the notes."""


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are measured together."""

    name: str
    sentences: Callable[[], Iterable[Sentence]]
    held: bool
    """Whether a test fails where a sentence is too long, or has a word that is forbidden."""


def _of_documents(*names: str) -> Callable[[], Iterator[Sentence]]:
    return lambda: (sentence for name in names for sentence in of_document(name))


def of_document(name: str) -> Iterator[Sentence]:
    """The sentences of a document, without those of its claims."""
    text = _CLAIMS.sub(lambda part: "\n" * part[0].count("\n"), read(name))
    for found in markdown.texts(text):
        yield from split(found.text, f"{name}:{found.line}")


def groups() -> Iterator[Group]:
    """All of them."""
    every = [name for name in documents() if name not in GENERATED]
    decisions = [name for name in every if name.startswith("docs/decisions/")]
    pages = [name for name in every if name.startswith("docs/") and name not in decisions]
    root = [name for name in every if not name.startswith("docs/") and name != README]
    yield Group(README, _of_documents(README), held=True)
    yield Group("docs", _of_documents(*pages), held=True)
    yield Group("docs/decisions", _of_documents(*decisions), held=True)
    yield Group(f"{CONTRIBUTING} and others", _of_documents(*root), held=True)
    yield Group("--help", help_texts.sentences, held=True)
    for folder in ("services", "tools", "tests"):
        yield Group(f"docstrings of {folder}/", partial(python_texts.docstrings, folder), held=True)
    for folder in ("services", "tools", "tests"):
        yield Group(f"comments of {folder}/", partial(python_texts.comments, folder), held=True)
    yield Group("comments of the chart", partial(yaml_texts.comments, "helm/sweetspot/values.yaml"), held=True)
    yield Group("generated pages", _of_documents(*GENERATED), held=False)


def mean(sentences: Iterable[Sentence]) -> float:
    """Words of a sentence; 0 where there is none."""
    counts = [sentence.words for sentence in sentences if sentence.words >= LEAST_WORDS]
    return sum(counts) / len(counts) if counts else 0.0


def too_long(sentences: Iterable[Sentence]) -> Iterator[str]:
    """A line for each."""
    for sentence in sentences:
        if sentence.words > MOST_WORDS:
            yield f"{sentence.place}: {sentence.words} words: {sentence.text}"


def forbidden(sentences: Iterable[Sentence]) -> Iterator[str]:
    """A line for each forbidden word. Code and quotations may have any."""
    for sentence in sentences:
        own = _QUOTED.sub("", sentence.text)
        for pattern, instead in _FORBIDDEN.items():
            for match in pattern.finditer(own):
                yield f"{sentence.place}: {match[0]!r} (rather: {instead}): {sentence.text}"


def _table(measured: dict[str, list[Sentence]]) -> Iterator[str]:
    yield f"{'':34} {'sentences':>9} {'mean':>5} {'longest':>7}"
    for name, sentences in measured.items():
        longest = max(sentences, key=lambda sentence: sentence.words, default=Sentence("", ""))
        number = sum(sentence.words >= LEAST_WORDS for sentence in sentences)
        yield f"{name:34} {number:9,} {mean(sentences):5.1f} {longest.words:7}  {longest.place}"


def main(files: list[str]) -> None:
    """Prints the table and the lines."""
    if files:
        names = [str(Path(file).resolve().relative_to(ROOT)) for file in files]
        chosen = [Group(name, _of_documents(name), held=True) for name in names]
    else:
        chosen = list(groups())
    measured = {group.name: list(group.sentences()) for group in chosen}
    print("\n".join(_table(measured)))
    held = [sentence for group in chosen if group.held for sentence in measured[group.name]]
    print("\n".join(["", *too_long(held), "", *forbidden(held)]))


if __name__ == "__main__":
    main(sys.argv[1:])
