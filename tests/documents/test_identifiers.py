"""Names in services/ and tools/ have the verbs of the field: `send`, not `tell`; `store`, not `keep`."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.documents.places import ROOT
from tests.documents.words import INSTEAD

FOLDERS = ("services", "tools")
REJECTED = INSTEAD | {
    r"finds?": "select, load, look up, or the noun for what is returned",
    r"keep|keeping": "store, retain",
    r"telling|saying|hearing": "sending, printing, receiving",
}
"""Pattern of a word -> what to write instead. A name has no `find` and `keep` either, which texts may have."""
EXCEPTIONS = {
    "keep_pods": "the flag --keep-pods, as the documents and environment.json name it",
    "says": "the key of a claim's file that has its statement",
}


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each name that the code gives, and its line. A name that is only used belongs to what defines it."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield name, node.lineno


FILE = re.compile(r"[a-z]+ed|found|kept|left|told|seen|chosen|here|whole|plain")
FILES = {
    "need": "a noun",
    "partitioned": "the name of a model",
    "ripped": "the name of a style: stack ripping (Adya and others, 2002)",
}
"""Files that may have such a name -> why."""


def rejected(name: str) -> list[str]:
    """The words in a name that are not to be used, each with what to write instead."""
    parts = [] if name in EXCEPTIONS else name.lower().split("_")
    return [f"{part}: {use}" for part in parts for word, use in REJECTED.items() if re.fullmatch(word, part)]


def test_no_name_has_a_verb_of_the_old_language() -> None:
    assert [
        f"{path.relative_to(ROOT)}:{line}: {name}: {word}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, line in identifiers(ast.parse(path.read_text(encoding="utf-8")))
        for word in rejected(name)
    ] == []


def test_a_file_is_named_by_what_is_in_it() -> None:
    """`StoredRun` stands in `stored_run.py`, and not in `stored.py`."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert [str(path.relative_to(ROOT)) for path in paths if FILE.fullmatch(path.stem) and path.stem not in FILES] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def _tell_change(): ...", ["tell"]),
        ("class A:\n    def told(self): ...", ["told"]),
        ("def f(kept): ...", ["kept"]),
        ("KEEPS_UP = 1", ["keeps"]),
        ("a.said = 1", ["said"]),
        ("for said in a: ...", ["said"]),
        ("text.find('a')", []),
        ("foundation = essay = 1", []),
        ("keep_pods: bool = False", []),
    ],
)
def test_words_are_found_in_what_the_code_names(code: str, words: list[str]) -> None:
    found = [word for name, _ in identifiers(ast.parse(code)) for word in rejected(name)]
    assert [each.partition(":")[0] for each in found] == words
