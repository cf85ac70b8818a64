"""The site that `make docs` builds of docs/ and of the documents beside it.

All of them are plain Markdown, which GitHub shows too. So the order of the pages, which only the site needs, is here.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

project = "Sweetspot"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/**"]
exclude_patterns = [".*", "build", "results"]
root_doc = "docs/index"

myst_heading_anchors = 4
smartquotes = False  # `--` is a flag's
highlight_language = "text"

html_theme = "furo"
html_title = project
html_copy_source = False
html_use_index = False
html_show_copyright = False

PAGES = {
    "Use": ["getting-started", "models", "experiments", "results", "cluster", "scaling", "by-hand", "stages"],
    "Understand": ["claims", "verdicts", "measuring", "styles", "performance", "glossary", "decisions/index"],
    "Look up": ["cli", "chart-values", "troubleshooting"],
    "The project": ["README </README>", "/ARCHITECTURE", "/CONTRIBUTING", "/CHANGELOG", "/SECURITY"],
}
"""What the sidebar has, by heading. A page that is not here is an error."""
DECISIONS = "docs/decisions/index"


def toctree(*lines: str) -> str:
    """A list of pages that is not shown on the page that has it."""
    return "\n".join(["", "```{toctree}", ":hidden:", *lines, "```", ""])


def add_pages(_app: Sphinx, name: str, source: list[str]) -> None:
    """Adds the order of the pages to the pages that lead to them."""
    if name == root_doc:
        source[0] += "".join(toctree(f":caption: {caption}", "", *names) for caption, names in PAGES.items())
    elif name == DECISIONS:
        source[0] += toctree(":glob:", "", "0*")


def add_index(app: Sphinx, error: Exception | None) -> None:
    """Writes the page that a browser opens first. The root of the sources is that of the repository."""
    if error is None:
        start = f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
        (Path(app.outdir) / "index.html").write_text(start, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connects both."""
    app.connect("source-read", add_pages)
    app.connect("build-finished", add_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
