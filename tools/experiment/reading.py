"""Experiments in YAML: read, brought into one form, and checked before anything is started.

In the short form the keys of `load` are at the top level, and `models` replaces `arms`. Must not know which models
there are: `tools.arms` checks their names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml
from google.protobuf import json_format
from sweetspot.v1.control_pb2 import StageSettings
from sweetspot.v1.workload_pb2 import RunRequest

from tools import strict_yaml
from tools.command_names import EXPERIMENTS, names
from tools.experiment.clients import impossible, unable
from tools.experiment.cpu_time import plan_in_rounds
from tools.experiment.experiment import Arm, Experiment, Name
from tools.experiment.load import AXES, Action, Load
from tools.status import PlainError, one_line

DRIVERS_OWN = ("payload_bytes", "keys", "share")
"""What a plan may have beside a RunRequest's fields."""
MAX_SHARE = 1e9
"""As the driver has it."""
RUNS_OWN = frozenset(
    ("host", "port", "control_port", "backend", "trace_file", "tls_cert", "tls_key", "tls_client_ca", "memory_budget")
)
"""Options that only the run sets, when it starts the services."""
LOOPS = frozenset(("streams", "rate_rps", "rate_of_capacity", "schedule"))
"""Keys of a load of which one is set."""
LOOKS_AT = 8
"""Pairs at the first look of a run that stops early (tools/stats/looks.py); the next ones are at twice as many each."""
_OF_LOAD = Load.__struct_fields__


class BadExperimentError(PlainError):
    """An experiment that is not there or not valid; the message is one line for a person."""


def path_of(name: str) -> Path:
    """The file of an experiment, given its name or its path. Raises BadExperimentError."""
    named = EXPERIMENTS / f"{name}.yaml"
    if "/" not in name and named.is_file():
        return named
    if Path(name).is_file():
        return Path(name)
    raise BadExperimentError(f"no experiment {name!r}: give a file or one of {', '.join(names())}")


def read(path: Path) -> Experiment:
    """Reads one experiment. Raises BadExperimentError, whose text begins with the file's name."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadExperimentError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadExperimentError(f"{path}: not YAML: {one_line(error)}") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Experiment:
    """Reads what such a file holds. Raises BadExperimentError, whose text begins with `name`."""
    try:
        written = strict_yaml.load(text)
    except (strict_yaml.DuplicateKeyError, strict_yaml.BadValueError) as error:
        raise BadExperimentError(f"{name}: {error}") from error
    except yaml.YAMLError as error:
        raise BadExperimentError(f"{name}: not YAML: {one_line(error)}") from error
    if not isinstance(written, dict):
        raise BadExperimentError(
            f"{name}: is not a YAML mapping; give title, arms, load and plan, as default.yaml does"
        )
    try:
        for why in unable(written):
            raise _ContradictionError(why)
        content = _long(written)
        _check_arms(content.get("arms", {}))
        asked = msgspec.convert(content, Experiment)
        _check(asked, written)
    except (msgspec.ValidationError, _ContradictionError) as error:
        raise BadExperimentError(f"{name}: {_where(str(error), written)}") from error
    return asked


class _ContradictionError(Exception):
    """Keys that are valid alone, but not together. The text ends as msgspec's do: `... - at `$.key``."""


def _long(written: Mapping[str, Any]) -> dict[str, Any]:
    """The one form that is checked: arms named, the load in its own mapping, each axis a list."""
    content = {key: value for key, value in written.items() if key not in _OF_LOAD and key != "models"}
    load = written.get("load", {})
    short = {key: written[key] for key in _OF_LOAD if key in written}
    if isinstance(load, dict):
        content["load"] = {key: _listed(key, value) for key, value in {**load, **short}.items()}
        if "scale" not in written and not LOOPS & content["load"].keys():
            content["load"]["streams"] = [1]
    models = written.get("models", "all")
    if isinstance(models, list) and all(isinstance(model, str) for model in models):
        content.setdefault("arms", {_label(model): {"model": model} for model in models})
    elif models != "all":
        raise msgspec.ValidationError("Expected `all` or a list of models - at `$.models`")
    if isinstance(content.get("arms"), dict):
        content["arms"] = _arms(content["arms"])
    if isinstance(content.get("scale"), dict) and isinstance(content["scale"].get("workers"), dict):
        workers = {_label(str(model)): counts for model, counts in content["scale"]["workers"].items()}
        content["scale"] = {**content["scale"], "workers": workers}
    return content


def _listed(key: str, value: Any) -> Any:
    return [value] if key in AXES and isinstance(value, int | float) and not isinstance(value, bool) else value


def _arms(written: Mapping[Any, Any]) -> dict[Any, Any]:
    """Each arm. An arm with a list as the value of an option becomes one arm for each value."""
    arms: dict[Any, Any] = {}
    for name, arm in written.items():
        if not isinstance(arm, dict):
            arms[name] = arm
            continue
        options = arm.get("options", {})
        model = arm.get("model")
        made = [(name, {**arm, "model": _label(model)} if isinstance(model, str) else arm)]
        for option, values in options.items() if isinstance(options, dict) else ():
            if isinstance(values, list):
                made = [
                    (f"{each}_{_label(str(value)).lower()}", _with_option(before, option, value))
                    for each, before in made
                    for value in values
                ]
        arms.update(made)
    return arms


def _check_arms(arms: Any) -> None:
    """Checks each by itself, because msgspec does not name the key of a mapping. Raises msgspec.ValidationError."""
    for name, arm in arms.items() if isinstance(arms, dict) else ():
        try:
            msgspec.convert({name: arm}, dict[Name, Arm])
        except msgspec.ValidationError as error:
            what = str(error).replace("`key` in `$`", "`$[...]`").replace("$[...]", f"$.arms.{name}")
            raise msgspec.ValidationError(what) from None
        if ("model" in arm) == ("server" in arm):
            raise msgspec.ValidationError(f"exactly one of model and server is needed: set one - at `$.arms.{name}`")


def _with_option(arm: Mapping[str, Any], option: Any, value: Any) -> dict[str, Any]:
    return {**arm, "options": {**arm["options"], option: value}}


def _check(asked: Experiment, written: Mapping[str, Any]) -> None:
    """Raises _ContradictionError."""
    if "models" in written and "arms" in written:
        raise _ContradictionError("models and arms exclude each other: remove one of them - at `$.models`")
    _check_load(asked, written)
    for number, action in enumerate(asked.load.actions):
        _check_action(action, asked, f"$.load.actions[{number}]")
    if asked.until is not None:
        _check_until(asked)
    for name, arm in asked.arms.items():
        if refused := RUNS_OWN & arm.options.keys():
            raise _ContradictionError(f"{min(refused)} is set by the run: remove it - at `$.arms.{name}.options`")
    if refused := RUNS_OWN & asked.service_options.keys():
        raise _ContradictionError(f"{min(refused)} is set by the run: remove it - at `$.service_options`")
    for where, plan in _plans(asked):
        _check_plan(plan, where)
    for why in impossible(asked):
        raise _ContradictionError(why)


def _check_load(asked: Experiment, written: Mapping[str, Any]) -> None:
    """Raises _ContradictionError."""
    load = asked.load
    loops = sorted(name for name in LOOPS if getattr(load, name))
    if asked.scale is not None and ("plan" in written or "mix" in written or loops):
        raise _ContradictionError(
            "scale has its own plans and searches the rate: remove plan, mix, streams and rates - at `$.scale`"
        )
    if len(loops) > 1:
        raise _ContradictionError(f"{' and '.join(loops)} exclude each other: remove all but one - at `$.load`")
    if load.arrival and not load.is_open and asked.scale is None:
        raise _ContradictionError("arrival needs an open loop: set rate_rps - at `$.load.arrival`")
    if asked.scale is not None and len(load.connections) > 1:
        raise _ContradictionError("scale accepts only one number of connections - at `$.load.connections`")
    if asked.scale is None and ("plan" in written) == ("mix" in written):
        raise _ContradictionError("exactly one of plan and mix is needed: set one - at `$`")
    for name, arm in asked.arms.items():
        if arm.plan and arm.mix:
            raise _ContradictionError(f"plan and mix exclude each other: remove one of them - at `$.arms.{name}.mix`")
        if asked.scale is not None and (arm.plan or arm.mix):
            raise _ContradictionError(f"scale has its own plans: remove those of the arm - at `$.arms.{name}`")
    for name in AXES:
        if len(set(getattr(load, name) or ())) < len(getattr(load, name) or ()):
            raise _ContradictionError(f"the list contains a value twice: remove one of them - at `$.load.{name}`")
    for number in asked.windows.keys() - set(load.connections):
        raise _ContradictionError(f"{number} is no value of connections: remove the window {number} - at `$.windows`")


def _check_action(action: Action, asked: Experiment, where: str) -> None:
    """Raises _ContradictionError."""
    if asked.scale is not None:
        raise _ContradictionError(f"scale accepts no actions: remove them - at `{where}`")
    if (action.kill is None) == (action.stage is None):
        raise _ContradictionError(f"exactly one of kill and stage is needed: set one - at `{where}`")
    if (action.stage is None) != (not action.settings):
        raise _ContradictionError(f"stage and settings need each other: set both or neither - at `{where}`")
    known = StageSettings.DESCRIPTOR.fields_by_name
    for key in action.settings:
        if key not in known:
            raise _ContradictionError(f"{key} is not one of {', '.join(known)} - at `{where}.settings`")
    for shortest_s in (asked.at(point).duration_s for point in asked.points):
        if action.at_s >= shortest_s:
            raise _ContradictionError(f"a window ends after {shortest_s:g} s: set an earlier time - at `{where}.at_s`")


def _check_until(asked: Experiment) -> None:
    """Raises _ContradictionError."""
    if len(asked.arms) != 2 or asked.scale is not None:
        raise _ContradictionError("until compares two arms: list two in `arms` or `models` - at `$.until`")
    if LOOKS_AT % asked.blocks:
        raise _ContradictionError(
            f"until compares after {LOOKS_AT}, {2 * LOOKS_AT}, {4 * LOOKS_AT} ... pairs: set 1, 2, 4 or 8"
            " - at `$.blocks`"
        )


def _plans(asked: Experiment) -> list[tuple[str, Mapping[str, Any]]]:
    scale = asked.scale.plans if asked.scale else {}
    return [
        ("$.plan", asked.plan),
        *((f"$.mix.{name}", plan) for name, plan in asked.mix.items()),
        *((f"$.arms.{name}.plan", arm.plan) for name, arm in asked.arms.items()),
        *((f"$.arms.{name}.mix.{kind}", plan) for name, arm in asked.arms.items() for kind, plan in arm.mix.items()),
        *(each for name, plan in scale.items() for each in _of_scale(f"$.scale.plans.{name}", plan)),
    ]


def _of_scale(where: str, plan: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The plan, or the plans of its mix. Raises _ContradictionError."""
    if "mix" not in plan:
        return [(where, plan)]
    kinds = plan["mix"]
    if len(plan) > 1 or not isinstance(kinds, Mapping) or not all(isinstance(kind, Mapping) for kind in kinds.values()):
        raise _ContradictionError(f"a plan with a mix has only names of kinds and their plans - at `{where}.mix`")
    return [(f"{where}.mix.{name}", kind) for name, kind in kinds.items()]


def _check_plan(plan: Mapping[str, Any], where: str) -> None:
    try:
        known = plan_in_rounds(plan, lambda _engine, _cpu_us: 1)
        json_format.ParseDict({name: value for name, value in known.items() if name not in DRIVERS_OWN}, RunRequest())
    except (json_format.ParseError, TypeError, ValueError) as error:
        raise _ContradictionError(f"{one_line(error)} - at `{where}`") from error
    if ".mix." in where:
        share = plan.get("share")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= MAX_SHARE:
            given = "too large" if isinstance(share, int | float) and share > MAX_SHARE else repr(share)
            raise _ContradictionError(f"share is {given}: set a weight above 0 - at `{where}.share`")


def _label(name: str) -> str:
    return name.replace("-", "_")


def _where(message: str, written: Mapping[str, Any]) -> str:
    """The place first, as it was written: keys of a load may be at the top level."""
    what, found, place = message.rpartition(" - at `")
    if not found:
        return f"at $: {one_line(message)}"
    place = place.rstrip("`")
    key = place.removeprefix("$.load.").partition("[")[0]
    if place.startswith("$.load") and ("load" not in written or key in written):
        place = place.replace("$.load", "$", 1)
    return f"at {place}: {one_line(what)}"
