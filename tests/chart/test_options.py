"""Every value that the schema accepts starts: what helm makes of it is what the program's own parser takes."""

import json
from collections.abc import Mapping
from itertools import product
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.__main__ import BACKEND, options_of, parse
from services.models import MODELS
from services.runtime.config import SHARED
from services.runtime.options import ENV_PREFIX, OneOf, Option, Seconds, Whole
from services.workload.ledger import STRATEGIES
from tests.chart import generated
from tests.chart.rendering import needs_helm, of_kind, render_values

SCHEMA = json.loads(generated.SCHEMA.read_text(encoding="utf-8"))
Options = dict[str, Any]


def taken_by(model: str) -> Mapping[str, Any]:
    """The schema of each option that values.yaml may have of the model."""
    of_model = SCHEMA["properties"][model] if model == BACKEND else SCHEMA["properties"]["models"]["properties"][model]
    schema = of_model["properties"]["options"]
    properties = SCHEMA["$defs"]["options"]["properties"] if "$ref" in schema else schema["properties"]
    return {name: SCHEMA["$defs"]["options"]["properties"].get(name, told) for name, told in properties.items()}


def accepted(model: str, options: Options) -> bool:
    values = {BACKEND: {"options": options}} if model == BACKEND else {"models": {model: {"options": options}}}
    return jsonschema.Draft202012Validator(SCHEMA | {"required": []}).is_valid(values)


def started(model: str, options: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> bool:
    """The program takes these variables."""
    try:
        parse([model], {f"{ENV_PREFIX}{name.upper()}": text for name, text in options.items()})
    except SystemExit:
        capsys.readouterr()
        return False
    return True


def edges(option: Option[Any]) -> list[Any]:
    """Values at which a schema and a parser may disagree: both bounds and what is next to them, every word and none."""
    match option.parse:
        case Whole(least, most) | Seconds(least, most):
            return [least - 1, least, least + 1, most - 1, most, most + 1, 0]
        case OneOf(words):
            others = [one for model in MODELS for one in options_of(model) if one.name == option.name]
            return [*words, "", "no such word", f" {words[0]}", *(word for one in others for word in one.words)]
    return [True, False]


@pytest.mark.parametrize("model", [*MODELS, BACKEND])
def test_the_schema_accepts_exactly_what_the_program_parses(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = {option.name: option for option in options_of(model)}
    for name in taken_by(model):
        for value in edges(options[name]):
            text = value if isinstance(value, str) else json.dumps(value)
            assert accepted(model, {name: value}) is started(model, {name: text}, capsys), (model, name, value)


@pytest.mark.parametrize("model", MODELS)
def test_the_schema_accepts_exactly_the_strategies_that_fit_the_other_options(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, choices in ((name, told["enum"]) for name, told in taken_by(model).items() if "enum" in told):
        for choice in choices:
            for strategy in STRATEGIES:
                options = {name: choice, "conflicts": strategy}
                assert accepted(model, options) is started(model, options, capsys), (model, options)


def test_the_schema_accepts_an_option_that_needs_another_one_exactly_where_the_program_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for model in MODELS.values():
        for option, need in ((option, option.need) for option in model.options if option.need):
            for value, needed in product(edges(option), (None, *edges(need.option))):
                options = {option.name: value} | ({} if needed is None else {need.option.name: needed})
                text = {name: each if isinstance(each, str) else json.dumps(each) for name, each in options.items()}
                assert accepted(model.name, options) is started(model.name, text, capsys), (model.name, options)


def values_of(told: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that the schema of an option accepts; a whole number also as YAML's 1e6, which is a float to helm."""
    match told:
        case {"enum": words}:
            return st.sampled_from(words)
        case {"type": "integer", "minimum": least, "maximum": most}:
            whole = st.sampled_from([least, least + 1, most - 1, most]) | st.integers(least, most)
            return whole | whole.map(float)
        case {"type": "number", "minimum": least, "maximum": most}:
            return st.sampled_from([least, most, 1e-7]) | st.floats(least, most)
    return st.booleans()


def written_for(model: str) -> st.SearchStrategy[Options]:
    given = st.fixed_dictionaries({}, optional={name: values_of(told) for name, told in taken_by(model).items()})
    depending = {"conflicts", *(option.name for option in options_of(model) if option.need)}
    return given.map(
        lambda options: options if accepted(model, options) else {k: options[k] for k in options if k not in depending}
    )


@needs_helm
@settings(max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    defaults=written_for(BACKEND), own=st.fixed_dictionaries({name: written_for(name) for name in (*MODELS, BACKEND)})
)
def test_what_is_written_is_what_the_program_reads(defaults: Options, own: Mapping[str, Options]) -> None:
    models = {model: {"options": options} for model, options in own.items() if model != BACKEND}
    text = render_values(
        {"defaults": {"options": defaults}, "models": models, BACKEND: {"options": own[BACKEND]}}, "sweetspot"
    )
    deployments = of_kind(text, "Deployment")
    for model, options in own.items():
        container = deployments[f"sweetspot-{model.replace('_', '-')}"]["spec"]["template"]["spec"]["containers"][0]
        variables = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        _name, config = parse([model], variables)
        read = {**config.of_model, **{option.name: getattr(config, option.name) for option in SHARED}}
        assert {name: read[name] for name in defaults | options} == defaults | options
