"""The messages that the page on troubleshooting quotes are those of the code."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.documents import markdown
from tests.documents.places import ROOT, read

PAGE = "docs/troubleshooting.md"
HEADS = ("| message |", "| reason |", "| status and message |")
"""Of the tables whose first column quotes messages."""
BETWEEN = re.compile(r"\b(?:[A-Z][A-Z_0-9]*|\d[\d.]*)\b(?: ?%| ms)?|[:;] | \(|\B'|'\B")
"""Words in capitals and numbers stand for values. At the other marks, the code often puts two texts together."""
COMPOSED = (
    "add the reason under `changed` in its file, then |sweetspot claims --register",
    "and |is the bottleneck",
    "and |waited for the service or for a processor",
    "connections |could be opened",
    "CPUs, but beside the driver there |are",
    "finished |trials |are stored",
    "has no effect |with --resume",
    "has no effect |without --cluster",
    "its user may not |create |deployments.apps |in namespace",
    "knee |void",
    "kubectl |is not on the",
    "more round|s",
    "no models of |release",
    "proactor |ended with status",
    "report.html |is missing",
    "report.html |is not what `sweetspot report",
    "the |rate |of one model against itself differed by",
    "the result is |on stdout",
    "was |OOMKilled",
    "write |p99<",
)
"""Parts that the code puts together: the end of a text, perhaps whole ones, and the beginning of one."""
OF_OTHERS = {
    "argparse": "argument --schedule|argument --address|unrecognized arguments"
    "|one of the arguments --streams --rate --schedule is required",
    "helm": "context deadline exceeded",
    "Kubernetes": "Insufficient cpu",
    "libc": "Address already in use|Cannot assign requested address|Connection refused|Name or service not known",
    "make": "*** No rule to make target",
    "msgspec": "Object contains unknown field|Object missing required field",
    "pip": "Could not find a version that satisfies the requirement",
    "Python": "ModuleNotFoundError|No module named",
    "a shell": "command not found",
    "venv": "The virtual environment was not created successfully because ensurepip is not available",
}
"""Parts of messages that other programs make."""


def quotes(page: str) -> Iterator[markdown.Found]:
    """Each message that its tables quote."""
    quoting = False
    for number, row in enumerate(page.splitlines(), 1):
        quoting = row.startswith(HEADS) or (quoting and row.startswith("|"))
        cell, *_ = re.split(r"(?<!\\)\|", row[1:])
        for span in markdown.code_spans(cell.replace(r"\|", "|") if quoting else ""):
            yield markdown.Found(number, span.text)


def fixed(quote: str) -> list[str]:
    """The parts of a message that are always the same."""
    parts = (part.strip(" .,:;/)[]") for part in BETWEEN.split(quote))
    return [part for part in parts if re.search("[a-z]{3}", part)]


@cache
def code() -> str:
    """The texts of the code between NULs; of Python, the strings alone."""
    sources = (path for folder in ("services", "tools") for path in (ROOT / folder).rglob("*.py"))
    others = [ROOT / "Makefile", *(ROOT / "helm/sweetspot/templates").rglob("*.*")]
    texts = [text for path in sources for text in strings(path.read_text(encoding="utf-8"))]
    texts += [path.read_text(encoding="utf-8") for path in others]
    return "\0".join(["", *(text.strip() for text in texts), ""])


def strings(source: str) -> list[str]:
    """Those that are no docstring; of an f-string, each text between two values."""
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    constants = (node.value for node in nodes if isinstance(node, ast.Constant) and node not in docstrings)
    return [value for value in constants if isinstance(value, str)]


def test_every_message_that_is_quoted_is_in_the_code() -> None:
    of_others = (parts.split("|") for parts in OF_OTHERS.values())
    known = {part.replace("|", "") for part in COMPOSED}.union(*of_others)
    parts = {part: f"{PAGE}:{quote.line}" for quote in quotes(read(PAGE)) for part in fixed(quote.text)}
    missing = {part: place for part, place in parts.items() if part not in code()}
    assert {part: place for part, place in missing.items() if part not in known} == {}
    assert known - missing.keys() == set(), "nothing quotes it, or the code has it as one text"
    ends = [f"{text.strip()}\0" for part in COMPOSED for text in part.split("|")[:-1]]
    beginnings = [f"\0{text.strip()}" for part in COMPOSED for text in part.split("|")[1:]]
    assert [text for text in ends + beginnings if text not in code()] == []


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("| `NAME: N calls of its N` (pip) | It ended. |", ["calls of its"]),
        ("| `a.py is missing: DIR`, `it took N %` | `x` |", ["a.py is missing", "it took"]),
        (r"| `usage: MODEL\|backend` | None. |", ["usage", "|backend"]),
        ("| ``the service's `plan` ``, `did not print 'on'` | |", ["the service's `plan`", "did not print"]),
    ],
)
def test_a_quote_has_parts_that_are_always_the_same(row: str, parts: list[str]) -> None:
    page = f"| not a message |\n| `it is no quote` |\n\n| message | cause |\n| --- | --- |\n{row}\n\n`nor this`\n"
    assert [part for quote in quotes(page) for part in fixed(quote.text)] == parts
