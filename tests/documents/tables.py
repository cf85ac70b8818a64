"""Markdown that generated parts are made of: tables, code spans, paragraphs."""

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence

WIDTH = 120
WRITTEN = "<!-- `python -m tests.documents` writes this page. -->\n"
_CODE = re.compile(r"(`+[^`]*`+)")


def table(*rows: Sequence[str]) -> str:
    """The first row is the head."""
    head, *others = (f"| {' | '.join(_cell(cell) for cell in row)} |\n" for row in rows)
    return "".join((head, f"| {' | '.join(['---'] * len(rows[0]))} |\n", *others))


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def code(text: str) -> str:
    """A code span; of nothing there is none."""
    return f"`{text}`" if text else ""


def plain(text: str) -> str:
    """Text of a docstring, a comment or a help message: what Markdown would take for a mark is escaped."""
    parts = _CODE.split(text)
    return "".join(part if number % 2 else re.sub(r"([*<\[\]\\])", r"\\\1", part) for number, part in enumerate(parts))


def paragraph(text: str, *, indent: str = "", first: str = "") -> str:
    """Wrapped text. No line of it begins with what would begin a list or a heading."""
    lines = textwrap.wrap(
        first + " ".join(text.split()),
        WIDTH - len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    kept, *others = lines
    marked = [re.sub(r"^(?=[-+#>]\s|\d+[.)]\s)", r"\\", line) for line in others]
    return "\n".join([kept, *(indent + line for line in marked)]) + "\n"


def item(text: str) -> str:
    """An item of a list."""
    return paragraph(text, indent="  ", first="- ")


def fenced(text: str) -> str:
    """A block that is shown as it is."""
    return f"```text\n{text.rstrip()}\n```\n"


def listed(words: Iterable[str], each: Callable[[str], str] = code) -> str:
    """As "`a`, `b`"."""
    return ", ".join(each(word) for word in words)


def sentence(text: str) -> str:
    """With a capital at its start and a full stop at its end."""
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else whole + "."
