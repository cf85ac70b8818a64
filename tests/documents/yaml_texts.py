"""The sentences of the comments of a YAML file. Lines that follow one another are one comment."""

import re
from collections.abc import Iterator

from tests.documents.places import read
from tests.documents.sentences import Sentence, split


def comments(document: str) -> Iterator[Sentence]:
    """Those that have a line of their own."""
    begin, text = 0, ""
    for number, line in enumerate([*read(document).splitlines(), ""], 1):
        if match := re.match(r"\s*#\s?(.*)", line):
            begin, text = (begin, f"{text} {match[1]}") if text else (number, match[1])
        elif text:
            yield from split(text, f"{document}:{begin}")
            text = ""
