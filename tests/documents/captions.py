"""A model's docstring, taken apart: what it is in one sentence, a picture, and who waits for what."""

import ast
import re
from dataclasses import dataclass, field

from tests.documents.places import read

LABELS = ("Who waits", "What bounds it", "When full", "After")
_LABEL = re.compile(rf"({'|'.join(LABELS)})\s+(.*)")


@dataclass(slots=True)
class Caption:
    """The parts in their order."""

    first: str = ""
    picture: str = ""
    about: dict[str, str] = field(default_factory=dict)
    """Label -> text."""
    notes: list[str] = field(default_factory=list)
    """Paragraphs beside the picture."""


def caption(model: str) -> Caption:
    """That of the model's file."""
    text = ast.get_docstring(ast.parse(read(f"services/models/{model}.py"))) or ""
    found = Caption()
    found.first, *blocks = re.split(r"\n\s*\n", text)
    for block in blocks:
        if all(line.startswith("    ") for line in block.splitlines()):
            found.picture += ("\n\n" if found.picture else "") + block
        elif _LABEL.match(block):
            found.about |= _about(block)
        else:
            found.notes.append(" ".join(block.split()))
    return found


def _about(block: str) -> dict[str, str]:
    about: dict[str, str] = {}
    for line in block.splitlines():
        if match := _LABEL.fullmatch(line):
            label, text = match.groups()
            about[label] = text
        else:
            about[label] += " " + line.strip()
    return about
