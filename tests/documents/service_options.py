"""The options of `python -m services` as tables: flag, values, default, meaning."""

from pathlib import Path
from typing import Any

from services.models import MODELS
from services.network.address import Address
from services.runtime.config import SHARED
from services.runtime.options import OneOf, Option, Seconds, Whole
from tests.documents.tables import code, listed, plain, table

HEAD = ("flag", "values", "default", "meaning")
KINDS: dict[Any, str] = {Address.parse: "HOST:PORT", Path: "a file", str: "an address"}
"""What a parser without bounds takes. One that is not here takes no value."""


def of_every_service() -> str:
    """A table of those that every service has."""
    return table(HEAD, *map(_row, SHARED))


def of_some_models() -> str:
    """A table of those that only some models have: a row for each set of values and default."""
    having: dict[Option[Any], list[str]] = {}
    for model in MODELS.values():
        for option in model.options:
            having.setdefault(option, []).append(model.name)
    rows = [
        (listed(names, lambda name: f"[{name}](models.md#{name})"), *_row(option)) for option, names in having.items()
    ]
    return table(("model", *HEAD), *sorted(rows, key=lambda row: row[1]))


def of_model(model: str) -> str:
    """A table of those that this model has beside those of every service; empty where there are none."""
    options = MODELS[model].options
    return table(HEAD, *map(_row, options)) if options else ""


def _row(option: Option[Any]) -> tuple[str, str, str, str]:
    return code(option.flag), values(option), default(option), plain(option.help)


def default(option: Option[Any]) -> str:
    """What it is where it is not given; empty where it is nothing."""
    found = option.default
    return "" if found is None or found is False else code(_number(found))


def values(option: Option[Any]) -> str:
    """What may be given, by what parses it."""
    match option.parse:
        case Whole(least, most):
            return f"{least:,} to {most:,}"
        case Seconds(least, most):
            return f"{least:g} to {most:g} s"
        case OneOf(words):
            return listed(words)
        case parse:
            return KINDS.get(parse, "")


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
