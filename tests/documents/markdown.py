"""Markdown as its readers see it: headings and their anchors, links, blocks of code, and text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

_parse = cache(MarkdownIt("commonmark").enable("table").parse)
"""The tokens of a text. Cached: parametrised tests parse each page some ten times."""
_TARGET_OF_HTML = re.compile(r"""\b(?:src|href)\s*=\s*["']([^"']*)["']""")


@dataclass(frozen=True, slots=True)
class Found:
    """Something on a line of a document."""

    line: int
    text: str


def anchors(text: str) -> list[str]:
    """Those of the headings by GitHub's rule: letters, digits, `_` and `-`. A name that comes again gets a number."""
    found: list[str] = []
    for heading in headings(text):
        slug = re.sub(r"[^\w\- ]", "", heading.text.strip().lower()).replace(" ", "-")
        times = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", each) is not None for each in found)
        found.append(f"{slug}-{times}" if times else slug)
    return found


def headings(text: str) -> Iterator[Found]:
    """Each heading as it is read, without marks."""
    tokens = _parse(text)
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            yield Found(_line(before), shown(token.children or ()).replace("`", ""))


def links(text: str) -> Iterator[Found]:
    """The target of each link and picture, those in HTML included."""
    for line, token in _inline(text):
        for each in _nested(token.children or ()):
            target = each.attrGet("href") or each.attrGet("src")
            if target is not None:
                yield Found(line, str(target))
    for token in _parse(text):
        for each in [token, *(token.children or ())]:
            if each.type in ("html_block", "html_inline"):
                for target in _TARGET_OF_HTML.findall(each.content):
                    yield Found(_line(token), target)


def blocks(text: str, language: str) -> Iterator[Found]:
    """Fenced blocks of that language; the line is that of their first line of code."""
    for token in _parse(text):
        if token.type == "fence" and token.info.strip() == language:
            yield Found(_line(token) + 1, token.content)


def code_spans(text: str) -> Iterator[Found]:
    """Each piece of code within a line."""
    for line, token in _inline(text):
        for each in token.children or ():
            if each.type == "code_inline":
                yield Found(line, each.content)


def texts(text: str) -> Iterator[Found]:
    """Each paragraph, item of a list and cell of a table, but no heading and no quotation. Code stays in backticks."""
    quoted, heading = 0, False
    line = 1
    for token in _parse(text):
        line = _line(token) if token.map else line
        quoted += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type == "inline" and not quoted and not heading:
            yield Found(line, shown(token.children or ()))
        heading = token.type == "heading_open"


def shown(tokens: Iterable[Token]) -> str:
    """What a reader sees, with code in backticks."""
    return "".join(_shown(token) for token in tokens)


def _shown(token: Token) -> str:
    match token.type:
        case "code_inline":
            return f"`{token.content}`"
        case "softbreak" | "hardbreak":
            return " "
        case "html_inline":
            return ""
        case "image":
            return shown(token.children or ())
    return token.content


def _inline(text: str) -> Iterator[tuple[int, Token]]:
    for token in _parse(text):
        if token.type == "inline":
            yield _line(token), token


def _nested(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _nested(token.children or ())


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1
