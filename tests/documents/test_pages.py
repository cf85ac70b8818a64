"""Pages that list things list all of them, and each once: the glossary, the decisions."""

import re

from tests.documents import markdown
from tests.documents.places import pages, read

GLOSSARY, DECISIONS = "docs/glossary.md", "docs/decisions/index.md"


def entries() -> dict[str, str]:
    """Each word of the glossary, and what is below it."""
    parts = re.split(r"^##+ (.*)\n", read(GLOSSARY), flags=re.MULTILINE)
    assert len(set(parts[1::2])) == len(parts[1::2]), "a word has two entries"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_a_word_has_one_entry_of_the_glossary() -> None:
    assert list(entries()) == sorted(entries(), key=str.lower)


def test_an_entry_of_the_glossary_leads_to_the_page_that_explains_it() -> None:
    assert [word for word, text in entries().items() if not list(markdown.links(text))] == []


def test_the_list_of_decisions_has_each_of_them() -> None:
    listed = [link.text for link in markdown.links(read(DECISIONS)) if re.match(r"\d{4}-", link.text)]
    there = [page.removeprefix("docs/decisions/") for page in pages() if re.match(r"docs/decisions/\d{4}-", page)]
    assert listed == there
    assert [int(name[:4]) for name in there] == list(range(1, len(there) + 1))
