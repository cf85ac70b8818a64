"""What the chart repeats of the code is as the code is, and its schema leaves nothing open. Needs no helm."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from services.models import MODELS
from tests.chart import generated

VALUES = generated.VALUES.read_text(encoding="utf-8")
SCHEMA = json.loads(generated.SCHEMA.read_text(encoding="utf-8"))


def schemas(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every part of the schema that is an object, with where it is."""
    if isinstance(tree, dict):
        yield path, tree
        for key, value in tree.items():
            yield from schemas(value, f"{path}/{key}")


def test_values_and_schema_have_the_models_and_options_of_the_code() -> None:
    assert generated.with_models(VALUES) == VALUES, "stale: run `make manifests`"
    schema = generated.SCHEMA.read_text(encoding="utf-8")
    assert generated.with_options(schema) == schema, "stale: run `make manifests`"


def test_a_model_of_the_chart_is_one_of_the_table() -> None:
    assert list(yaml.safe_load(VALUES)["models"]) == list(MODELS)


def test_what_an_entry_says_of_a_model_outlives_a_new_model() -> None:
    said = VALUES.replace("  reactor: {}\n", "  # why\n  reactor:\n    replicas: 2\n")
    without = said.replace("  coroutines: {}\n", "")
    assert said != VALUES
    assert generated.with_models(without) == said


def test_every_option_is_one_of_a_service_or_the_charts_own() -> None:
    for model, schema in SCHEMA["properties"]["models"]["properties"].items():
        options = {option.name for option in MODELS[model].all_options} - generated.OF_THE_CHART - generated.FILES
        assert schema["properties"]["options"]["properties"].keys() == options


def test_the_schema_leaves_no_object_open() -> None:
    open_ = [
        path
        for path, schema in schemas(SCHEMA)
        if schema.get("type") == "object" and "additionalProperties" not in schema
    ]
    # The values of a parent chart, and what only the API server can check.
    assert open_ == ["/properties/global", "/$defs/kubernetes"]


def test_every_value_is_explained() -> None:
    models = VALUES[VALUES.index(generated.START) + len(generated.START) : VALUES.index(generated.END)]
    lines = VALUES.replace(models, "").splitlines()
    unexplained = [
        line
        for above, line in itertools.pairwise(lines)
        if re.match(r" *\w+:", line) and not above.lstrip().startswith("#")
    ]
    assert not unexplained
