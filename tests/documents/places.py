"""Where the documents lie, and what they hold."""

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
README, ARCHITECTURE, CONTRIBUTING = "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"
CLI, MODELS, CHART_VALUES = "docs/cli.md", "docs/models.md", "docs/chart-values.md"
VERDICTS = "docs/verdicts.md"
"""Pages that are generated as a whole."""


def read(document: str) -> str:
    """The text of a document, whose path is relative to the root."""
    return (ROOT / document).read_text(encoding="utf-8")


def documents() -> list[str]:
    """Every Markdown file of the repository, relative to the root."""
    return [*_below(ROOT.glob("*.md")), *_below((ROOT / ".github").rglob("*.md")), *pages()]


def pages() -> list[str]:
    """Those of docs/."""
    return _below((ROOT / "docs").rglob("*.md"))


def _below(paths: Iterable[Path]) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def guides() -> list[str]:
    """README and docs/: what a user reads, and whose commands a user runs."""
    return [README, *pages()]
