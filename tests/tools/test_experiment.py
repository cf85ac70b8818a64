"""Experiments: what is written is what is asked, and what is wrong is told before anything starts."""

from pathlib import Path

import pytest
import yaml

from tools import experiment
from tools.experiment import BadExperimentError
from tools.named import names

LEAST = "title: Why?\nconnections: [1]\nplan: {steps: []}\n"


SCALE = """
title: How many?
connections: [8]
scale:
  plans: {cpu: {steps: [{compute: {rounds: 9}}]}}
  replicas: [1, 2]
  cpus: [0.5, 1]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", names())
def test_every_experiment_with_a_name_is_valid(name: str) -> None:
    assert experiment.read(experiment.find(name)).title.endswith("?")


def test_the_default_experiment_ends_within_its_time() -> None:
    default = experiment.read(experiment.find("default"))
    models, set_up_s, around_a_trial_s = 6, 60, 1.5
    trial_s = default.warmup_s + default.duration_s + around_a_trial_s
    assert set_up_s + models * len(default.connections) * trial_s <= 180


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    asked = experiment.read(written(tmp_path, LEAST))
    assert (asked.models, asked.streams, asked.rate_rps, asked.timeout_s) == (None, 1, None, 10)


def test_an_open_loop_has_no_streams(tmp_path: Path) -> None:
    asked = experiment.read(written(tmp_path, LEAST + "rate_rps: 50\n"))
    assert (asked.streams, asked.rate_rps) == (None, 50)


def test_models_may_be_spelled_with_dashes(tmp_path: Path) -> None:
    assert experiment.read(written(tmp_path, LEAST + "models: [thread-pool]\n")).models == ["thread_pool"]


def test_a_scale_has_an_objective_and_a_search_though_nobody_wrote_them(tmp_path: Path) -> None:
    asked = experiment.read(written(tmp_path, SCALE + "  objective: {p99_ms: 20}\n  workers: {thread-pool: {n: [1]}}"))
    assert asked.scale is not None
    assert (asked.scale.objective.p99_ms, asked.scale.objective.ok_share, asked.scale.search.trials) == (20, 0.999, 12)
    assert asked.scale.workers == {"thread_pool": {"n": [1]}}
    assert (asked.rate_rps, asked.streams, asked.plan) == (None, None, {})


def test_a_scale_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    asked = experiment.read(written(tmp_path, SCALE + "arrival: poisson\n"))
    assert experiment.read(written(tmp_path, asked.of(["reactor"]).to_yaml())) == asked.of(["reactor"])


@pytest.mark.parametrize("more", ["", "models: [reactor]\n", "rate_rps: 5\narrival: poisson\n", "trace_ratio: 0\n"])
def test_an_experiment_comes_back_as_it_was_kept(tmp_path: Path, more: str) -> None:
    asked = experiment.read(written(tmp_path, LEAST + more)).of(["reactor", "thread_pool"])
    assert experiment.read(written(tmp_path, asked.to_yaml())) == asked


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not of type 'object'"),
        ("title: [", "not YAML"),
        ("title: Why?\nconnections: [1]\n", "'plan' is a required property"),
        (LEAST + "conections: [2]\n", "'conections' was unexpected"),
        (LEAST.replace("[1]", "[0]"), "at $.connections[0]: 0 is less than the minimum of 1"),
        (LEAST.replace("[1]", "[]"), "at $.connections"),
        (LEAST.replace("[1]", "[1, 1]"), "has non-unique elements"),
        (LEAST + "duration_s: 0\n", "at $.duration_s"),
        (LEAST + "streams: 1\nrate_rps: 5\n", "exclude each other"),
        (LEAST + "arrival: poisson\n", "'rate_rps' is a dependency of 'arrival'"),
        (LEAST + "service_options: {port: 80}\n", "at $.service_options"),
        (LEAST.replace("steps: []", "steps: [{compute: {round: 1}}]"), 'at $.plan: '),
        (LEAST.replace("steps: []", "steps: [{sleep: {duration_us: -1}}]"), "at $.plan: "),
        (SCALE + "plan: {}\n", "plan, streams and rate_rps exclude it"),
        (SCALE.replace("[8]", "[8, 9]"), "at $.connections: [8, 9] is too long"),
        (SCALE.replace("[1, 2]", "[0]"), "at $.scale.replicas[0]: 0 is less than the minimum of 1"),
        (SCALE.replace("rounds", "round"), "at $.scale.plans.cpu: "),
        (SCALE + "  objective: {p99: 20}\n", "at $.scale.objective: "),
    ],
    ids=[
        "empty", "not YAML", "no plan", "a typo", "no connection", "no trial", "twice", "no time", "two loops",
        "arrivals in a closed loop", "an option of the run", "an unknown field", "a negative duration",
        "a plan beside the scale's", "two numbers of connections", "no replica", "a scale's plan", "a typo within",
    ],
)  # fmt: skip
def test_a_bad_experiment_is_refused_in_one_line_that_says_where(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadExperimentError) as refused:
        experiment.read(written(tmp_path, text))
    assert str(refused.value).startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadExperimentError, match=r"no experiment 'nope'.*default.*smoke"):
        experiment.find("nope")


def test_an_experiment_may_be_any_file(tmp_path: Path) -> None:
    path = written(tmp_path, yaml.safe_dump(yaml.safe_load(LEAST)))
    assert experiment.find(str(path)) == path
