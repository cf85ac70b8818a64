"""docs/chart-values.md: every value of the chart, from the comments of values.yaml and from its schema."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from services.models import MODELS
from services.runtime.config import Config
from tests.chart.generated import SCHEMA, VALUES
from tests.documents import service_options
from tests.documents.tables import WRITTEN, code, listed, paragraph, plain, table

INTRODUCTION = f"""\
# Chart values

{WRITTEN}
These are the values of the chart in [values.yaml](../helm/sweetspot/values.yaml). `values.schema.json` rejects a value
that is not here. [Cluster](cluster.md) shows how to set them.
"""

OF_MODELS = f"""\
| key | default | meaning |
| --- | --- | --- |
| `models.MODEL` | `{{}}` | `MODEL` is one of {listed(MODELS)}. Its keys are those of [defaults](#defaults). |
"""

OPTIONS = """
## Options of a service

`defaults.options` has options of `python -m services` for every model. `models.MODEL.options` has them for one model,
and may have those that only [some models](cli.md#options-of-some-models) have. Each model also takes `conflicts`.

"""

Path = tuple[str, ...]


class UncommentedError(Exception):
    """A value that has no comment above it."""


def page() -> str:
    """The whole page."""
    text = VALUES.read_text(encoding="utf-8")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return "".join(_parts(text, schema))


def _parts(text: str, schema: Any) -> Iterator[str]:
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    yield INTRODUCTION
    for key, value in root.value:
        yield f"\n## {key.value}\n\n"
        if key.value == "models":
            yield f"{paragraph(comment(text, key))}\n{OF_MODELS}"
            yield OPTIONS + _options(schema)
            continue
        if _has_keys(value):
            yield f"{paragraph(comment(text, key))}\n"
            rows = list(_rows(text, schema, value, (key.value,)))
        else:
            rows = [_row(text, schema, key, value, (key.value,))]
        yield table(("key", "default", "meaning"), *rows)


def _rows(text: str, schema: Any, mapping: yaml.MappingNode, path: Path) -> Iterator[tuple[str, str, str]]:
    for key, value in mapping.value:
        below = (*path, key.value)
        yield _row(text, schema, key, value, below)
        if _has_keys(value):
            yield from _rows(text, schema, value, below)


def _row(text: str, schema: Any, key: yaml.Node, value: yaml.Node, path: Path) -> tuple[str, str, str]:
    meaning = comment(text, key)
    if (choices := _at(schema, schema, path).get("enum")) and not all(str(choice) in meaning for choice in choices):
        meaning += f" One of {listed(map(str, choices))}."
    return code(".".join(path)), "" if _has_keys(value) else code(_shown(text, value)), meaning


def comment(text: str, key: yaml.Node) -> str:
    """The comment directly above a key, as one line. Raises UncommentedError."""
    lines = text.splitlines()
    above: list[str] = []
    for line in reversed(lines[: key.start_mark.line]):
        if not re.match(rf" {{{key.start_mark.column}}}#", line):
            break
        above.append(line.strip().removeprefix("#").strip())
    if not above:
        raise UncommentedError(f"values.yaml, line {key.start_mark.line + 1}: {key.value} has no comment above it")
    return plain(" ".join(reversed(above)))


def _has_keys(value: yaml.Node) -> bool:
    return isinstance(value, yaml.MappingNode) and not value.flow_style


def _shown(text: str, value: yaml.Node) -> str:
    """As it stands in the file; a list over several lines in one."""
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        entries = [text[each.start_mark.index : each.end_mark.index] for each in value.value]
        return f"[{', '.join(entries)}]"
    return text[value.start_mark.index : value.end_mark.index]


def _at(schema: Any, node: Any, path: Sequence[str]) -> Any:
    """What the schema has for a value."""
    for key in path:
        node = next((part["properties"][key] for part in _also(schema, node) if key in part.get("properties", {})), {})
    return _resolved(schema, node)


def _also(schema: Any, node: Any) -> Iterator[Any]:
    yield node
    if "$ref" in node:
        yield from _also(schema, _resolved(schema, node))


def _resolved(schema: Any, node: Any) -> Any:
    if "$ref" not in node:
        return node
    found = schema
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def _options(schema: Any) -> str:
    rows = []
    for name, found in schema["$defs"]["options"]["properties"].items():
        option = Config.__dataclass_fields__[name]
        meaning = plain(found["description"])
        if "minimum" in found:
            meaning += f"; {found['minimum']:,} to {found['maximum']:,}"
        rows.append((code(f"defaults.options.{name}"), service_options.default(option, ""), meaning))
    return table(("key", "default", "meaning"), *rows)
