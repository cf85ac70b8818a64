"""The sentences of Python's docstrings and comments, without pictures and without what is for a linter."""

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.documents.places import ROOT
from tests.documents.sentences import Sentence, split

_FOR_TOOLS = re.compile(r"#\s*(?:noqa|type:|fmt:|ruff:|!)")
_COLUMNS = re.compile(r"\S {2,}\S")


def docstrings(folder: str) -> Iterator[Sentence]:
    """Those of modules, classes and functions, and the texts that stand below a name."""
    for path in _files(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    for each in paragraphs(inspect.cleandoc(text)):
                        yield from split(each, f"{path.relative_to(ROOT)}:{node.lineno}")


def comments(folder: str) -> Iterator[Sentence]:
    """Lines that follow one another are one comment."""
    for path in _files(folder):
        for line, text in joined(path.read_text(encoding="utf-8")):
            yield from split(text, f"{path.relative_to(ROOT)}:{line}")


def joined(source: str) -> Iterator[tuple[int, str]]:
    """Each comment of a source with the line on which it begins."""
    begin, end, text = 0, -1, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or _FOR_TOOLS.match(token.string):
            continue
        own = token.string.lstrip("#").strip()
        alone = token.line.lstrip().startswith("#")
        if alone and token.start[0] == end + 1:
            text, end = f"{text} {own}", token.start[0]
            continue
        if text:
            yield begin, text
        begin, end, text = token.start[0], token.start[0] if alone else -1, own
    if text:
        yield begin, text


def paragraphs(docstring: str) -> Iterator[str]:
    """Of a docstring: paragraphs and labelled texts. A block whose first line is indented is a picture or code."""
    for block in re.split(r"\n\s*\n", docstring):
        lines = block.splitlines()
        if not lines or lines[0].startswith(" "):
            continue
        hangs = any(line.startswith(" ") or _COLUMNS.search(line) for line in lines)
        if not hangs:
            yield " ".join(lines)
            continue
        text = ""
        for line in lines:
            if not line.startswith(" ") and text:
                yield text
                text = ""
            text += " " + line.strip()
        yield text


def _files(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if not path.name.endswith("_pb2.py"))
