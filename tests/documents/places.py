"""Where the documents lie, and what they hold."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README, ARCHITECTURE, CONTRIBUTING = "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"
CLI, MODELS, CHART_VALUES = "docs/cli.md", "docs/models.md", "docs/chart-values.md"
"""Pages that are generated as a whole."""


def read(document: str) -> str:
    """The text of a document, whose path is relative to the root."""
    return (ROOT / document).read_text(encoding="utf-8")


def documents() -> list[str]:
    """Every Markdown file of the repository, relative to the root."""
    return [*sorted(path.name for path in ROOT.glob("*.md")), *pages()]


def pages() -> list[str]:
    """Those of docs/."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))


def guides() -> Iterator[str]:
    """README and docs/: what a user reads, and whose commands a user runs."""
    yield README
    yield from pages()
