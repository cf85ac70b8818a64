"""Every link of a document that leads to another file leads to one that is there, and to a heading of it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.documents import markdown
from tests.documents.places import ROOT, documents, read


def broken(document: str) -> Iterator[str]:
    """A line for each link that leads nowhere."""
    folder = (ROOT / document).parent
    for link in markdown.links(read(document)):
        if "://" in link.text or link.text.startswith("mailto:"):
            continue
        path, _, anchor = link.text.partition("#")
        target = (folder / path).resolve() if path else ROOT / document
        if not target.is_file() or ROOT not in target.parents:
            yield f"{document}:{link.line}: {link.text}: there is no such file"
        elif anchor and anchor not in anchors_of(target):
            yield f"{document}:{link.line}: {link.text}: there is no such heading"


@cache
def anchors_of(path: Path) -> list[str]:
    return markdown.anchors(path.read_text(encoding="utf-8")) if path.suffix == ".md" else []


@pytest.mark.parametrize("document", documents())
def test_every_link_leads_to_a_file_and_a_heading(document: str) -> None:
    found = list(broken(document))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("headings", "anchors"),
    [
        ("# What is put to the test?", ["what-is-put-to-the-test"]),
        ("## `sweetspot run`", ["sweetspot-run"]),
        ("## python -m services", ["python--m-services"]),
        ("## thread_pool", ["thread_pool"]),
        ("## [Pods](x.md) or cores", ["pods-or-cores"]),
        ("# A\n\n## B\n\n## B\n\n## B", ["a", "b", "b-1", "b-2"]),
    ],
)
def test_an_anchor_is_made_by_the_rule_of_github(headings: str, anchors: list[str]) -> None:
    assert markdown.anchors(headings) == anchors


def test_links_in_html_count() -> None:
    assert [found.text for found in markdown.links('<img src="a.svg">\n\n[![x](b.svg)](c.md)')] == [
        "c.md",
        "b.svg",
        "a.svg",
    ]
