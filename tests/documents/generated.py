"""What is generated in the documents: each file, and how its text is made again from its text of today."""

from collections.abc import Callable

from tests.documents import chart_values, cli, models
from tests.documents.places import CHART_VALUES, CLI, MODELS, README, ROOT, VERDICTS, read
from tools.claims import findings, markdown, publication
from tools.claims.page import forest

START, END = "<!-- models:start -->\n", "<!-- models:end -->"
STALE = "is stale: run `python -m tests.documents`"
"""What a test that finds a document stale ends with."""


def between(text: str, made: str, start: str = START, end: str = END) -> str:
    """The document with the generated part between its markers."""
    before, rest = text.split(start)
    _, after = rest.split(end)
    return before + start + made + end + after


def readme(text: str) -> str:
    """With the table of models, the findings and the verdicts of the committed run, and its picture in words."""
    run, claims = publication.read()
    text = between(text, models.overview())
    text = between(text, findings.table(claims), findings.START, findings.END)
    text = between(text, markdown.part(run, claims), markdown.START, markdown.END)
    return findings.PICTURE.sub(lambda _: findings.picture(claims), text)


GENERATED: dict[str, Callable[[str], str]] = {
    README: readme,
    "docs/claims.svg": lambda _: forest.svg(markdown.core(publication.read()[1])),
    VERDICTS: lambda _: markdown.page(*publication.read()),
    MODELS: lambda _: models.page(),
    CLI: lambda _: cli.page(),
    CHART_VALUES: lambda _: chart_values.page(),
}
"""File -> what makes its text from the text that it has. Most make it whole; the README has parts."""


def current(document: str) -> str:
    """What the file has; empty where it is not there yet."""
    return read(document) if (ROOT / document).exists() else ""


def write() -> None:
    """Writes them all again."""
    for document, make in GENERATED.items():
        (ROOT / document).write_text(make(current(document)), encoding="utf-8")
