"""Text on a terminal or in a file that cannot show all of it: a locale that is ASCII, a path that is no UTF-8."""

import codecs
import io
import sys

_INSTEAD = {"µ": "u", "\u2013": "-", "…": "...", "•": "*", "━": "-", "╸": "-", "╺": "-"}
"""What tables and bars show, as near as ASCII comes to it."""


def print_what_can_be_shown() -> None:
    """From now on no print fails because of a character: what cannot be encoded is replaced."""
    codecs.register_error("sweetspot", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="sweetspot")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_INSTEAD.get(each, "?") for each in error.object[error.start : error.end]), error.end
