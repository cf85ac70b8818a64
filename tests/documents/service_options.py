"""The options of `python -m services` as tables: flag, values, default, meaning."""

from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from services.network.address import Address
from services.runtime.config import Config, OneOf, Seconds, Whole, default_of
from tests.documents.tables import code, listed, plain, table

HEAD = ("flag", "values", "default", "meaning")
KINDS: dict[Any, str] = {Address.parse: "HOST:PORT", Path: "a file", str: "an address"}
"""What a parser without bounds takes. One that is not here takes no value."""


def of_every_service() -> str:
    """A table of those that every service has."""
    return table(HEAD, *(_row(option, "") for option in fields(Config) if not option.metadata["models"]))


def of_some_models() -> str:
    """A table of those that only some models have."""
    rows = [
        (listed(names, lambda name: f"[{name}](models.md#{name})"), *_row(option, names[0]))
        for option in fields(Config)
        for names in _alike(option)
    ]
    return table(("model", *HEAD), *sorted(rows, key=lambda row: row[1]))


def of_model(model: str) -> str:
    """A table of those that this model has and most others have not; empty where there are none."""
    rows = [_row(option, model) for option in fields(Config) if model in option.metadata["models"]]
    return table(HEAD, *rows) if rows else ""


def _alike(option: "Field[Any]") -> Iterator[tuple[str, ...]]:
    """The models that have the option, grouped by the values that they take and by the default."""
    groups: dict[tuple[str, str], list[str]] = {}
    for model in option.metadata["models"]:
        groups.setdefault((values(option, model), default(option, model)), []).append(model)
    yield from map(tuple, groups.values())


def _row(option: "Field[Any]", model: str) -> tuple[str, str, str, str]:
    flag = "--" + option.name.replace("_", "-")
    return code(flag), values(option, model), default(option, model), plain(option.metadata["help"])


def default(option: "Field[Any]", model: str) -> str:
    """What it is where it is not given; empty where it is nothing."""
    found = default_of(option, model)
    return "" if found is None or found is False else code(_number(found))


def values(option: "Field[Any]", model: str) -> str:
    """What may be given, by what parses it."""
    if choices := option.metadata.get("choices"):
        return listed(choices[model])
    match option.metadata["parse"]:
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
