"""docs/chart-values.md: every value of the chart, from the comments of values.yaml and from its schema."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from services.models import MODELS
from services.runtime.config import SHARED
from tests.chart.generated import SCHEMA, VALUES
from tests.documents import service_options
from tests.documents.tables import WRITTEN, code, listed, paragraph, plain, table

INTRODUCTION = f"""\
# Chart values

{WRITTEN}
These are the values of the chart in [values.yaml](../helm/sweetspot/values.yaml). `values.schema.json` rejects a value
that is not here. [Cluster](cluster.md) shows how to set them. A heading is the path to the keys below it: the key `tag`
below `image` is `image.tag`.
"""

OF_MODELS = paragraph(f"Each is one of {listed(MODELS)}. The keys of a model are those of [defaults](#defaults).")

OPTIONS = """
### Options of a service

`defaults.options` has options of `python -m services` for every model and the backend. `models.MODEL.options` has them
for one model, and may also have `conflicts` and those that only [some models](cli.md#options-of-some-models) have. The
schema rejects an option that a model does not have.

"""

MOST_DEFAULT = 40
"""Characters of a default in a column of its own; a longer one stands behind the meaning."""
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
    yield f"{INTRODUCTION}\n## Values without further keys\n\n"
    yield _table(text, schema, root, ())
    for key, value in root.value:
        if key.value == "models":
            yield f"\n## models\n\n{paragraph(comment(text, key))}\n{OF_MODELS}{OPTIONS}{_options(schema)}"
        elif _has_keys(value):
            yield from _section(text, schema, key, value, (key.value,))


def _section(text: str, schema: Any, key: yaml.Node, value: yaml.MappingNode, path: Path) -> Iterator[str]:
    """A heading, the text of the comment, a table of the keys that are values, and a section for each other key."""
    yield f"\n{'##' if len(path) == 1 else '###'} {'.'.join(path)}\n\n{paragraph(comment(text, key))}"
    if rows := _table(text, schema, value, path):
        yield f"\n{rows}"
    for below, more in value.value:
        if _has_keys(more):
            yield from _section(text, schema, below, more, (*path, below.value))


def _table(text: str, schema: Any, mapping: yaml.MappingNode, path: Path) -> str:
    rows = [_row(text, schema, key, value, (*path, key.value)) for key, value in mapping.value if not _has_keys(value)]
    return table(("key", "default", "meaning"), *rows) if rows else ""


def _row(text: str, schema: Any, key: yaml.Node, value: yaml.Node, path: Path) -> tuple[str, str, str]:
    meaning, default = comment(text, key), code(_shown(text, value))
    if (choices := _at(schema, schema, path).get("enum")) and not all(str(choice) in meaning for choice in choices):
        meaning += f" One of {listed(map(str, choices))}."
    if len(default) > MOST_DEFAULT:
        meaning, default = f"{meaning} Default: {default}.", ""
    return code(path[-1]), default, meaning


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
    options = {option.name: option for option in SHARED}
    for name, found in schema["$defs"]["options"]["properties"].items():
        meaning = plain(found["description"])
        if "minimum" in found:
            meaning += f"; {found['minimum']:,} to {found['maximum']:,}"
        rows.append((code(name), service_options.default(options[name]), meaning))
    return table(("key", "default", "meaning"), *rows)
