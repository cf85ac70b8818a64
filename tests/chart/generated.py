"""What the chart repeats of the code: the models, and the options that each has. `make manifests` writes it again."""

import inspect
import itertools
import json
from collections.abc import Iterable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from services.models import MODELS
from services.runtime.config import Config

CHART = Path(__file__).parents[2] / "helm" / "sweetspot"
VALUES, SCHEMA = CHART / "values.yaml", CHART / "values.schema.json"
START, END = "models:\n", "\n# The downstream"

OF_THE_CHART = {"host", "port", "control_port", "metrics_port", "backend", "trace_file"}
"""Options that the chart and the images set, so that ports and Services agree with them."""
FILES = {"tls_cert", "tls_key", "tls_client_ca"}
"""Options that name files, which the chart has no way to mount."""


def with_models(values: str) -> str:
    """values.yaml with an entry for each model of today; what an entry says stays."""
    before, rest = values.split(START, 1)
    block, after = rest.split(END, 1)
    kept = dict(_entries(block))
    entries = "".join(kept.get(name, f"  {name}: {{}}\n") for name in MODELS)
    return before + START + entries + END + after


def with_options(schema: str) -> str:
    """values.schema.json with today's models and options."""
    tree = json.loads(schema)
    common = [option for option in _options() if not option.metadata["models"]]
    tree["$defs"]["options"] = _closed({option.name: _schema(option) for option in _options()})
    tree["$defs"]["commonOptions"] = _of(common)
    tree["properties"]["models"] = _closed({name: _entry(name) for name in MODELS})
    for name in ("defaults", "backend"):
        tree["properties"][name]["properties"] = {"options": {"$ref": "#/$defs/commonOptions"}}
    return json.dumps(tree, indent=2) + "\n"


def _entries(block: str) -> Iterable[tuple[str, str]]:
    """Each model's lines in values.yaml."""
    name = ""
    lines: list[str] = []
    for line in block.splitlines(keepends=True):
        if not line.startswith(("   ", "  #")):
            if name:
                yield name, "".join(lines)
            name, lines = line.strip().partition(":")[0], []
        lines.append(line)
    yield name, "".join(lines)


def _options() -> list["Field[Any]"]:
    return [option for option in fields(Config) if option.name not in OF_THE_CHART | FILES]


def _entry(model: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"$ref": "#/$defs/entry"}
    of_model = [option for option in _options() if not option.metadata["models"] or model in option.metadata["models"]]
    if any(option.metadata["models"] for option in of_model):
        entry["properties"] = {"options": _of(of_model)}
    else:
        entry["properties"] = {"options": {"$ref": "#/$defs/commonOptions"}}
    return entry


def _of(options: Iterable["Field[Any]"]) -> dict[str, Any]:
    return _closed({option.name: {"$ref": f"#/$defs/options/properties/{option.name}"} for option in options})


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _schema(option: "Field[Any]") -> dict[str, Any]:
    """What a value of the option may be: its type, and the bounds or choices that its parser has been made with."""
    schema: dict[str, Any] = {"description": option.metadata["help"]}
    parse = option.metadata.get("parse")
    made_with = inspect.getclosurevars(parse).nonlocals if inspect.isfunction(parse) else {}
    if isinstance(option.default, bool):
        return schema | {"type": "boolean"}
    if isinstance(option.default, int):
        return schema | {"type": "integer", "minimum": made_with["least"], "maximum": made_with["most"]}
    if isinstance(option.default, float):
        return schema | {"type": "number", "minimum": 0}
    of_models = option.metadata.get("choices", {})
    choices = made_with.get("choices") or list(dict.fromkeys(itertools.chain(*of_models.values())))
    return schema | ({"enum": list(choices)} if choices else {"type": "string"})


def write() -> None:
    """Writes what is not as the code is."""
    for path, current in ((VALUES, with_models), (SCHEMA, with_options)):
        path.write_text(current(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
