"""An option of a service: name, default, values and help, stated once. Its flag and its variable follow from the name.

Must not know which options there are.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

ENV_PREFIX = "SWEETSPOT_"
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Whole:
    """Parses a whole number within bounds."""

    least: int
    most: int

    def __call__(self, text: str) -> int:
        """Raises ValueError."""
        value = int(text)
        if not self.least <= value <= self.most:
            raise ValueError(f"{value} is not within {self.least} to {self.most}")
        return value


@dataclass(frozen=True, slots=True)
class Seconds:
    """Parses seconds within bounds."""

    least: float
    most: float

    def __call__(self, text: str) -> float:
        """Raises ValueError."""
        value = float(text)
        if not self.least <= value <= self.most:
            raise ValueError(f"{value} s is not within {self.least:g} to {self.most:g}")
        return value


@dataclass(frozen=True, slots=True)
class OneOf:
    """Parses one of a few words."""

    words: tuple[str, ...]

    def __call__(self, text: str) -> str:
        """Raises ValueError."""
        if text not in self.words:
            raise ValueError(f"{text!r} is not one of {', '.join(self.words)}")
        return text


@dataclass(frozen=True, slots=True)
class Matching:
    """Parses text of a form."""

    pattern: str
    """A regular expression for all of the text."""
    form: str
    """The same for a person, with an example."""

    def __call__(self, text: str) -> str:
        """Raises ValueError."""
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(f"{text!r} is not {self.form}")
        return text


def true_or_false(text: str) -> bool:
    """Parses the one spelling that YAML, JSON and the chart have. Raises ValueError."""
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


@dataclass(frozen=True, slots=True)
class OptionNeed:
    """What an option needs to have an effect: another option of the model has one of these values."""

    option: "Option[Any]"
    values: tuple[Any, ...]

    def __str__(self) -> str:
        """As `--hand-off threads or processes`."""
        return f"{self.option.flag} {' or '.join(map(str, self.values))}"


@dataclass(frozen=True, slots=True)
class Option(Generic[Value]):
    """One option. `config[option]` is its value, for an option that is no field of Config."""

    name: str
    """With underscores, as in YAML."""
    default: Value
    parse: Callable[[str], Value]
    """Raises ValueError."""
    help: str
    need: OptionNeed | None = None
    """Without it, every value but the default is rejected."""

    def only_with(self, option: "Option[Any]", *values: Any) -> "Option[Value]":
        """This option for a model in which it has an effect only with these values of another option."""
        need = OptionNeed(option, values)
        return replace(self, help=f"{self.help}; only with {need}", need=need)

    @property
    def flag(self) -> str:
        """As `--queue-bound`."""
        return flag_of(self.name)

    @property
    def variable(self) -> str:
        """As `SWEETSPOT_QUEUE_BOUND`."""
        return ENV_PREFIX + self.name.upper()

    @property
    def words(self) -> tuple[str, ...]:
        """All values, if they are a few words; else empty."""
        return self.parse.words if isinstance(self.parse, OneOf) else ()


def flag_of(name: str) -> str:
    """The flag of an option, as `--queue-bound`."""
    return "--" + name.replace("_", "-")


def choice(name: str, words: Iterable[str], text: str) -> Option[str]:
    """An option with a few words as its values; the first is the default."""
    parse = OneOf(tuple(words))
    return Option(name, parse.words[0], parse, text)


def switch(name: str, text: str) -> Option[bool]:
    """An option that is off unless given: as a flag without a value, as a variable with `true`."""
    return Option(name, False, true_or_false, text)
