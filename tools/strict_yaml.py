"""YAML in which a key that is given twice is an error, as in YAML 1.2 (section 3.2.1.1); PyYAML drops the first one.

The same as services/driver/strict_yaml.py: no tool imports a service.
"""

from typing import Any

import yaml


class DuplicateKeyError(yaml.YAMLError):
    """The message names the line and the key."""


class BadValueError(yaml.YAMLError):
    """A value is none of its kind, as 2026-13-45 is no date. The message names the line and the key."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        # Before `<<` is merged: a mapping may replace what it merges.
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge")]
        seen = set()
        for key in keys:
            name = self.construct_object(key)
            if name in seen:
                raise DuplicateKeyError(f"line {key.start_mark.line + 1}: the key {key.value!r} is given twice")
            seen.add(name)
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                self._check(value, f"line {value.start_mark.line + 1}: {_short(key.value)}")
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made

    def _check(self, value: yaml.ScalarNode, where: str) -> None:
        """Raises BadValueError, as PyYAML lets the errors of int() and datetime() through."""
        try:
            self.construct_object(value)
        except _REFUSED:
            what = f"{_short(value.value)} is no {value.tag.rpartition(':')[2]}; correct it, or quote it if it is text"
            raise BadValueError(f"{where}: {what}") from None


_REFUSED = (ValueError, OverflowError, LookupError, AttributeError)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def load(text: str) -> Any:
    """What a text holds. Raises yaml.YAMLError."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise BadValueError("nested too deeply") from None
    except _REFUSED as error:
        # Not the value of a key: an item of a list, or a key.
        raise BadValueError(f"a value does not match its tag: {error}") from None
