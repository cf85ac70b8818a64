"""YAML in which a key that is given twice is an error, as YAML 1.2 wants it (section 3.2.1.1); PyYAML drops the first.

The same as services/driver/strict_yaml.py: no tool imports a service.
"""

from typing import Any

import yaml


class DuplicateKeyError(yaml.YAMLError):
    """The message names the line and the key."""


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
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def load(text: str) -> Any:
    """What a text holds. Raises yaml.YAMLError."""
    return yaml.load(text, _Loader)
