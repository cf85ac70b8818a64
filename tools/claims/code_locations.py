"""Where the code of a claim is: files, lines, and what each is about. Must not know any figure.

Reads the source as text: no tool imports a service.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.claims.claim import Claim
from tools.serving import ROOT

WAITS = re.compile(r"^Who waits +(?P<first>.+(?:\n {3,}\S.*)*)", re.MULTILINE)
"""The part of a model's docstring; further lines are indented."""


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """A file, and what it shows about a claim."""

    path: str
    """Relative to the repository, with a line: `services/models/reactor.py:34`."""
    what: str
    """One sentence: who waits in that model, or what the file is."""


def code_locations(claim: Claim, root: Path = ROOT) -> Iterator[CodeLocation]:
    """The files of a claim; for a model, the line of its function `serve`."""
    for model in claim.models:
        path = f"services/models/{model}.py"
        source = (root / path).read_text(encoding="utf-8")
        parsed = ast.parse(source)
        begins = next(each for each in parsed.body if isinstance(each, ast.FunctionDef) and each.name == "serve")
        yield CodeLocation(f"{path}:{begins.lineno}", _who_waits(ast.get_docstring(parsed) or ""))
    for path in claim.code:
        source = (root / path).read_text(encoding="utf-8")
        yield CodeLocation(path, _sentence(ast.get_docstring(ast.parse(source)) or ""))


def _who_waits(docstring: str) -> str:
    found = WAITS.search(docstring)
    return _sentence(found["first"] if found else docstring)


def _sentence(text: str) -> str:
    """The first one."""
    return " ".join(text.split()).partition(". ")[0].rstrip(".") + "."
