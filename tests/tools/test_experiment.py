"""Experiments: what is written is what is asked, and what is wrong is reported before anything starts."""

from pathlib import Path

import pytest
import yaml

from tools import experiment
from tools.command_names import names
from tools.experiment import Arm, BadExperimentError

LEAST = "title: Why?\nconnections: [1]\nplan: {steps: []}\n"
LONG = """
title: Who waits?
arms:
  loop: {model: reactor}
  pool: {model: thread-pool, options: {threads_per_cpu: [4, 16]}}
load: {connections: [10, 20], rate_rps: [100, 200.5], arrival: poisson, idle: 50}
mix:
  innocent: {share: 9, steps: [{compute: {rounds: 5}}]}
  blocker: {share: 1, steps: [{block: {duration_us: 50000}}]}
"""
OWN = "title: Why?\nconnections: [1]\nplan: {}\narms:\n  own: {model: reactor, "
SCALE = """
title: How many?
connections: [8]
scale:
  plans: {cpu: {steps: [{compute: {rounds: 9}}]}}
  replicas: [1, 2]
  cpus: [0.5, 1]
"""


def _mixed(kinds: str) -> str:
    """SCALE with these kinds of calls."""
    return SCALE.replace("{steps: [{compute: {rounds: 9}}]}", f"{{mix: {kinds}}}")


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", names())
def test_every_experiment_with_a_name_is_valid(name: str) -> None:
    assert experiment.read(experiment.path_of(name)).title.endswith("?")


def test_what_is_left_out_has_a_default() -> None:
    asked = experiment.parse(LEAST, "mine")
    assert (asked.arms, asked.rounds, asked.blocks) == ({}, 3, 1)
    assert (asked.load.streams, asked.load.rate_rps, asked.load.timeout_s) == ((1,), None, 10)


def test_an_arm_may_have_calls_of_its_own() -> None:
    asked = experiment.parse(OWN + "mix: {kind: {share: 1, keys: 3}}}\n  other: {model: reactor}\n", "mine")
    assert asked.calls_of(asked.arms["own"]) == {"mix": {"kind": {"share": 1, "keys": 3}}}
    assert asked.calls_of(asked.arms["other"]) == {}
    assert experiment.parse(asked.to_yaml(), "again") == asked


def test_the_short_form_is_the_long_one_with_one_axis() -> None:
    short = "title: Why?\nmodels: [thread-pool]\nconnections: [1, 9]\nrate_rps: 50\narrival: poisson\nplan: {}\n"
    long = """
title: Why?
arms: {thread_pool: {model: thread_pool}}
load: {connections: [1, 9], rate_rps: [50], arrival: poisson}
plan: {}
"""
    assert experiment.parse(short, "mine") == experiment.parse(long, "mine")


def test_a_point_with_many_connections_may_have_a_longer_window() -> None:
    asked = experiment.parse(
        LEAST.replace("[1]", "[1, 9]") + "duration_s: 0.3\nwindows: {9: {warmup_s: 1, duration_s: 2}}\n", "mine"
    )
    assert [asked.at(point).duration_s for point in asked.points] == [0.3, 2]
    assert experiment.parse(asked.to_yaml(), "kept") == asked


def test_an_open_loop_has_no_streams() -> None:
    load = experiment.parse(LEAST + "rate_rps: 50\n", "mine").load
    assert (load.streams, load.rate_rps) == (None, (50,))


def test_a_list_of_values_for_an_option_is_an_arm_for_each() -> None:
    assert experiment.parse(LONG, "mine").arms == {
        "loop": Arm(model="reactor"),
        "pool_4": Arm(model="thread_pool", options={"threads_per_cpu": 4}),
        "pool_16": Arm(model="thread_pool", options={"threads_per_cpu": 16}),
    }


def test_lists_in_the_load_span_the_points() -> None:
    points = experiment.parse(LONG, "mine").points
    assert [point.name for point in points] == ["10-r100", "10-r200.5", "20-r100", "20-r200.5"]
    assert points[1].described == "10 connections, 200.5 calls/s, 50 idle"


def test_models_that_are_named_are_arms_and_arms_stay_what_they_are() -> None:
    asked = experiment.parse(LONG, "mine").of(["pool_4", "coroutines"])
    assert asked.arms == {
        "pool_4": Arm(model="thread_pool", options={"threads_per_cpu": 4}),
        "coroutines": Arm(model="coroutines"),
    }


def test_a_scale_has_an_objective_and_a_search_though_none_is_written() -> None:
    asked = experiment.parse(SCALE + "  objective: {p99_ms: 20}\n  workers: {thread-pool: {n: [1]}}", "mine")
    assert asked.scale is not None
    assert (asked.scale.objective.p99_ms, asked.scale.objective.ok_share, asked.scale.search.trials) == (20, 0.999, 12)
    assert asked.scale.workers == {"thread_pool": {"n": (1,)}}
    assert (asked.load.rate_rps, asked.load.streams, asked.plan) == (None, None, {})


@pytest.mark.parametrize(
    "text",
    [
        LEAST,
        LEAST + "models: [reactor]\n",
        LEAST + "rate_rps: 5\narrival: poisson\n",
        LEAST + "trace_ratio: 0\n",
        LONG,
        SCALE + "arrival: poisson\n",
    ],
    ids=["the least", "models", "an open loop", "no traces", "the long form", "a scale"],
)
def test_an_experiment_comes_back_as_it_was_kept(text: str) -> None:
    asked = experiment.parse(text, "mine").of(["reactor", "thread_pool"])
    assert experiment.parse(asked.to_yaml(), "kept") == asked


BY_H2LOAD = LEAST + "client: h2load\n"


def test_an_arm_may_have_another_client_than_the_experiment() -> None:
    asked = experiment.parse(BY_H2LOAD + "arms: {a: {model: reactor}, b: {model: reactor, client: driver}}\n", "mine")
    assert [asked.client_of(arm) for arm in asked.arms.values()] == ["h2load", "driver"]
    assert asked.compares_clients
    assert experiment.parse(asked.to_yaml(), "again") == asked


def test_an_arm_may_be_a_reference_server() -> None:
    asked = experiment.parse(BY_H2LOAD + "arms: {c: {server: nghttpd}, python: {model: reactor}}\n", "mine")
    assert asked.models == ("nghttpd", "reactor")
    assert not asked.compares_clients
    assert experiment.parse(asked.to_yaml(), "again") == asked


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a YAML mapping; give title"),
        ("title: [", "not YAML"),
        (LEAST + "title: Who?\n", "line 4: the key 'title' is given twice"),
        ("title: Why?\nconnections: [1]\n", "at $: exactly one of plan and mix is needed"),
        (LEAST + "conections: [2]\n", "at $: Object contains unknown field `conections`"),
        (LEAST.replace("[1]", "[0]"), "at $.connections[0]: Expected `int` >= 1"),
        (LEAST.replace("[1]", "[]"), "at $.connections: Expected `array` of length >= 1"),
        (LEAST + "note: 2026-13-45\n", "'note': '2026-13-45' is no timestamp"),
        (LONG.replace("share: 9", f"share: {'9' * 400}"), "at $.mix.innocent.share: share is too large"),
        (LEAST.replace("[1]", "[1, 1]"), "at $.connections: the list contains a value twice"),
        (LEAST.replace("[1]", "many"), "at $.connections: Expected `array`, got `str`"),
        (LEAST + "duration_s: 0\n", "at $.duration_s: Expected `float` >= 0.01"),
        (LEAST + "windows: {5: {warmup_s: 1, duration_s: 1}}\n", "at $.windows: 5 is no value of connections"),
        (LEAST + "windows: {1: {warmup_s: 1}}\n", "at $.windows[...]: Object missing required field `duration_s`"),
        (LEAST + "rounds: 0\n", "at $.rounds: Expected `int` >= 1"),
        (LEAST + "models: reactor\n", "at $.models: Expected `all` or a list of models"),
        (LEAST + "streams: 1\nrate_rps: 5\n", "exclude each other"),
        (LEAST + "arrival: poisson\n", "at $.arrival: arrival needs an open loop: set rate_rps"),
        (LEAST + "service_options: {port: 80}\n", "at $.service_options: port is set by the run: remove it"),
        (LEAST.replace("steps: []", "steps: [{compute: {round: 1}}]"), "at $.plan: "),
        (LEAST.replace("steps: []", "steps: [{sleep: {duration_us: -1}}]"), "at $.plan: "),
        (LEAST + "mix: {a: {share: 1}}\n", "at $: exactly one of plan and mix is needed"),
        (LONG.replace("share: 9", "share: 0"), "at $.mix.innocent.share: share is 0: set a weight above 0"),
        (LONG.replace("compute", "compote"), "at $.mix.innocent: "),
        (LONG.replace("model: reactor", "modell: reactor"), "at $.arms.loop: Object contains unknown field `modell`"),
        (LONG.replace("loop:", "Loop!:"), "at $.arms.Loop!: Expected `str` matching regex"),
        (LONG.replace("idle: 50", "idle: -1"), "at $.load.idle[0]: Expected `int` >= 0"),
        (LONG + "models: all\n", "at $.models: models and arms exclude each other"),
        (OWN + "plan: {steps: [{compute: {rounds: -1}}]}}\n", "at $.arms.own.plan"),
        (OWN + "mix: {kind: {steps: []}}}\n", "at $.arms.own.mix.kind.share"),
        (OWN + "plan: {keys: 1}, mix: {kind: {share: 1}}}\n", "at $.arms.own.mix: plan and mix exclude each other"),
        (BY_H2LOAD + "rate_rps: 5\n", "at $.rate_rps: h2load makes closed loops only: set streams, or remove client"),
        (BY_H2LOAD + "rate_of_capacity: 2\n", "at $.rate_of_capacity: h2load makes closed loops only"),
        (BY_H2LOAD + "schedule: 'ramp:1-9@2s'\n", "at $.schedule: h2load makes closed loops only"),
        (
            BY_H2LOAD + "idle: [0, 9]\n",
            "at $.idle: only the driver can do this, and h2load cannot: remove idle or client",
        ),
        (BY_H2LOAD + "method: RunStream\n", "at $.method: only the driver can do this, and h2load cannot"),
        (BY_H2LOAD + "actions: [{at_s: 1, kill: worker}]\n", "at $.actions: only the driver can do this"),
        (BY_H2LOAD + "deadline_s: 1\n", "at $.deadline_s: only the driver can do this"),
        (BY_H2LOAD + "calls_per_connection: 1\n", "at $.calls_per_connection: only the driver can do this"),
        (
            BY_H2LOAD.replace("steps: []", "keys: 3"),
            "at $.plan.keys: h2load sends the same bytes in each call: set key",
        ),
        (
            LONG.replace(", rate_rps: [100, 200.5], arrival: poisson, idle: 50", "") + "client: k6\n",
            "at $.mix: k6 makes one kind of call: set plan, or remove client",
        ),
        (OWN + "client: ghz, plan: {keys: 2}}\n", "at $.arms.own.plan.keys: ghz sends the same bytes in each call"),
        (SCALE + "client: ghz\n", "at $.client: ghz cannot search a rate: remove client, or remove scale"),
        (LEAST + "client: wrk\n", "at $.client: Invalid enum value 'wrk'"),
        (LEAST + "client: fortio\n", "at $.client: fortio calls only the health check of gRPC and its own Ping"),
        (OWN + "client: fortio}\n", "at $.arms.own.client: fortio calls only the health check"),
        (LEAST + "arms: {a: {server: nghttpd}}\n", "at $.arms.a.server: nghttpd does not speak gRPC, and driver does"),
        (BY_H2LOAD + "arms: {a: {server: apache}}\n", "at $.arms.a.server: Invalid enum value 'apache'"),
        (
            BY_H2LOAD + "arms: {a: {server: nghttpd, options: {loops: 2}}}\n",
            "at $.arms.a.options: options are those of a model",
        ),
        (OWN + "server: nghttpd}\n", "at $.arms.own: exactly one of model and server is needed"),
        (LEAST + "arms: {a: {cpus: 1}}\n", "at $.arms.a: exactly one of model and server is needed"),
        (SCALE + "plan: {}\n", "scale has its own plans and searches the rate: remove plan"),
        (SCALE.replace("[8]", "[8, 9]"), "at $.connections: scale accepts only one number of connections"),
        (SCALE.replace("[1, 2]", "[0]"), "at $.scale.replicas[0]: Expected `int` >= 1"),
        (SCALE.replace("rounds", "round"), "at $.scale.plans.cpu: "),
        (_mixed("{some: {}}"), "at $.scale.plans.cpu.mix.some.share: share is None: set a weight above 0"),
        (_mixed("{some: {share: 1, stepz: []}}"), "at $.scale.plans.cpu.mix.some: "),
        (_mixed("[some]"), "at $.scale.plans.cpu.mix: a plan with a mix has only names of kinds and their plans"),
        (SCALE + "  objective: {p99: 20}\n", "at $.scale.objective: Object contains unknown field `p99`"),
    ],
)
def test_a_bad_experiment_is_rejected_in_one_line_that_names_the_place(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(BadExperimentError) as refused:
        experiment.read(written(tmp_path, text))
    assert str(refused.value).startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadExperimentError, match=r"no experiment 'nope'.*default.*smoke"):
        experiment.path_of("nope")


def test_a_plan_of_a_grid_may_be_a_mix(tmp_path: Path) -> None:
    asked = experiment.read(written(tmp_path, _mixed("{some: {share: 1}, others: {share: 3, keys: 2}}")))
    assert asked.scale is not None
    at_rate = asked.at_rate(asked.scale.plans["cpu"], 50)
    assert at_rate.calls == {"mix": {"some": {"share": 1}, "others": {"share": 3, "keys": 2}}}


def test_an_experiment_may_be_any_file(tmp_path: Path) -> None:
    path = written(tmp_path, yaml.safe_dump(yaml.safe_load(LEAST)))
    assert experiment.path_of(str(path)) == path
