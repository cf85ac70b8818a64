"""What follows from the models and the chart, and is committed: `make manifests` writes it again.

The chart repeats the models of the code and the options of each; k8s/ and the goldens are what helm makes of the chart.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from services.__main__ import BACKEND, options_of, parse
from services.models import MODELS
from services.runtime.config import SHARED, Config
from services.runtime.options import OneOf, Option, Seconds, Whole
from services.workload.ledger import STRATEGIES
from tests.chart.cases import CASES, GOLDENS
from tests.chart.rendering import CHART, render

VALUES, SCHEMA = CHART / "values.yaml", CHART / "values.schema.json"
K8S = CHART.parents[1] / "k8s"
BY_HAND = {"kind.yaml", "examples", "seccomp"}
"""What of k8s/ the chart does not make."""
START, END = "models:\n", "\n# The downstream"

OF_THE_CHART = {"host", "port", "control_port", "metrics_port", "backend", "trace_file"}
"""Options that the chart and the images set, so that ports and Services agree with them."""
FILES = {"tls_cert", "tls_key", "tls_client_ca", "function"}
"""Options that name files or modules, which the chart cannot mount."""


def with_models(values: str) -> str:
    """values.yaml with an entry for each model of today. The text of an entry does not change."""
    before, rest = values.split(START, 1)
    block, after = rest.split(END, 1)
    kept = dict(_entries(block))
    entries = "".join(kept.get(name, f"  {name}: {{}}\n") for name in MODELS)
    return before + START + entries + END + after


def with_options(schema: str) -> str:
    """values.schema.json with today's models, and the options that the program takes of each."""
    tree = json.loads(schema)
    tree["$defs"]["options"] = _closed({option.name: _schema(option) for option in common()})
    tree["properties"]["models"] = _closed({name: _entry(name) for name in MODELS})
    for name in ("defaults", BACKEND):
        tree["properties"][name]["properties"] = {"options": {"$ref": "#/$defs/options"}}
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


def options(name: str) -> list[Option[Any]]:
    """Those that values.yaml may have of the model, or of the backend."""
    return [option for option in options_of(name) if option.name not in OF_THE_CHART | FILES]


def common() -> list[Option[Any]]:
    """Those that every model takes with the same values, and so does the backend."""
    return [option for option in SHARED if all(option in options(name) for name in (*MODELS, BACKEND))]


def _entry(model: str) -> dict[str, Any]:
    """What values.yaml may have of a model."""
    shared = common()
    properties = {
        option.name: {"$ref": f"#/$defs/options/properties/{option.name}"} if option in shared else _schema(option)
        for option in options(model)
    }
    rules = [*_fitting_conflicts(model), *_needs(model)]
    return {"$ref": "#/$defs/entry", "properties": {"options": _closed(properties) | {"allOf": rules}}}


def _needs(model: str) -> Iterable[dict[str, Any]]:
    """Options that must be left out, or be their default, unless another option has one of a few values."""
    for option in MODELS[model].options:
        if option.need is not None:
            needed, values = option.need.option, list(option.need.values)
            # Left out, the needed option is its default.
            required = [] if needed.default in values else [needed.name]
            has = {"properties": {needed.name: {"enum": values}}, "required": required}
            yield {"if": {"not": has}, "then": {"properties": {option.name: {"const": option.default}}}}


def _fitting_conflicts(model: str) -> list[dict[str, Any]]:
    """The strategies that fit, by who shares the accounts; some of a model's own options may decide that."""
    default = parse((model,), {})[1].of_model

    def fitting(given: Mapping[str, Any]) -> list[str]:
        sharing = MODELS[model].sharing(Config(of_model={**default, **given}))
        return [strategy for strategy, places in STRATEGIES.items() if sharing in places]

    deciding = {
        option.name: cases
        for option in MODELS[model].options
        if (cases := _cases(option)) and len({tuple(fitting({option.name: value})) for value in cases}) > 1
    }
    if not deciding:
        return [{"properties": {"conflicts": {"enum": fitting({})}}}]
    rules = []
    for values in product(*deciding.values()):
        given = dict(zip(deciding, values, strict=True))
        # Left out, an option is its default: `required` makes the rules of its other values not hold then.
        required = [name for name, value in given.items() if value != default[name]]
        condition = {"properties": {name: deciding[name][value] for name, value in given.items()}}
        rules.append(
            {
                "if": condition | ({"required": required} if required else {}),
                "then": {"properties": {"conflicts": {"enum": fitting(given)}}},
            }
        )
    return rules


def _cases(option: Option[Any]) -> dict[Any, dict[str, Any]]:
    """Values of the option that may make a difference to who shares data, and the schema of all that are like each."""
    if option.name in ("processes", "loops"):
        return {1: {"const": 1}, 2: {"not": {"const": 1}}}
    return {word: {"const": word} for word in option.words}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _schema(option: Option[Any]) -> dict[str, Any]:
    """What a value of the option may be, by what parses it."""
    schema: dict[str, Any] = {"description": option.help}
    match option.parse:
        case Whole(least, most):
            return schema | {"type": "integer", "minimum": least, "maximum": most}
        case Seconds(least, most):
            return schema | {"type": "number", "minimum": least, "maximum": most}
        case OneOf(words):
            return schema | {"enum": list(words)}
    assert option.default is False, f"{option.name}: which values its parser takes is not known here"
    return schema | {"type": "boolean"}


def manifests() -> dict[Path, str]:
    """k8s/: the chart's objects with its own values, a file for each part, and what applies them all. Needs helm."""
    parts: dict[str, list[str]] = {}
    for document in re.split(r"^---\n", render(), flags=re.MULTILINE):
        text = re.sub(r"^# Source: .*\n", "", document, flags=re.MULTILINE).strip()
        if text and "helm.sh/hook" not in text:
            parts.setdefault(_part(text), []).append(text + "\n")
    files = {Path(f"{part}.yaml"): _HEADER + "---\n".join(texts) for part, texts in sorted(parts.items())}
    resources = "".join(f"  - {path}\n" for path in (Path("namespace.yaml"), *files))
    return files | {
        Path("namespace.yaml"): _HEADER + _NAMESPACE,
        Path("kustomization.yaml"): _HEADER + _KUSTOMIZATION + resources,
    }


def _part(text: str) -> str:
    labels = yaml.safe_load(text)["metadata"]["labels"]
    return str(labels.get("sweetspot.dev/model", labels["app.kubernetes.io/component"])).replace("_", "-")


_HEADER = "# Made from helm/sweetspot by `make manifests`.\n"
_NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: sweetspot
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""
_KUSTOMIZATION = """\
# All of it without helm: kubectl apply -k k8s
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: sweetspot
labels:
  - pairs: {app.kubernetes.io/managed-by: kustomize}
resources:
"""


def write() -> None:
    """Writes what follows from the code alone; needs no helm."""
    for path, current in ((VALUES, with_models), (SCHEMA, with_options)):
        path.write_text(current(path.read_text(encoding="utf-8")), encoding="utf-8")


def write_rendered() -> None:
    """Writes what helm makes of the chart."""
    for case, made in CASES.items():
        (GOLDENS / f"{case}.yaml").write_text(made(), encoding="utf-8")
    made_files = manifests()
    for path in K8S.glob("*.yaml"):
        if path.name not in BY_HAND and path.relative_to(K8S) not in made_files:
            path.unlink()
    for path, text in made_files.items():
        (K8S / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
    if shutil.which("helm") is None:
        sys.exit(
            "helm is not on the PATH: goldens and k8s/ are left as they are; next: https://helm.sh/docs/intro/install"
        )
    write_rendered()
