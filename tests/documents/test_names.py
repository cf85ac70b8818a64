"""What a document names is there: files, names of the code, targets of make, flags."""

import re

import pytest

from tests.documents import markdown
from tests.documents.places import ARCHITECTURE, CONTRIBUTING, ROOT, documents, read

PATHS = re.compile(r"(?:services|tools|tests|protos|docs|helm|k8s|\.ci)/[\w./*-]*")
"""Where a file lies; that of a command, a result or a metadata key is none."""
CODE = (
    ".ci",
    "services",
    "tools",
    "tests",
    "protos",
    "helm",
    "docs/conf.py",
    "Dockerfile",
    "Makefile",
    "pyproject.toml",
)


@pytest.mark.parametrize("document", documents())
def test_every_file_that_is_named_is_there(document: str) -> None:
    named = {
        (span.line, word)
        for span in markdown.code_spans(read(document))
        for word in span.text.split()
        if PATHS.fullmatch(word)
    }
    assert sorted((line, path) for line, path in named if not any(ROOT.glob(path.rstrip("/")))) == []


@pytest.mark.parametrize("document", [ARCHITECTURE, CONTRIBUTING])
def test_every_name_in_backticks_is_in_the_code(document: str) -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in CODE
        for path in [ROOT / folder, *(ROOT / folder).rglob("*")]
        if path.is_file() and "__pycache__" not in path.parts
    )
    files = {path.stem for path in ROOT.glob("tests/**/*.py")}
    named = {name for span in markdown.code_spans(read(document)) for name in re.findall(r"[A-Za-z_]\w{2,}", span.text)}
    assert sorted(name for name in named - files if name not in code) == []
