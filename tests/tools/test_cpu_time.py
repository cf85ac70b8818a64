"""CPU time in an experiment: turned into rounds in each place of a plan, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from tests.tools.fake_programs import GOOD, PROGRAMS
from tools import cli, experiment
from tools.experiment import BadExperimentError, cpu_time

HEAD = "title: Why?\nconnections: [1]\n"
STEP = "{steps: [{compute: {cpu_us: 300}}]}"


def rounds(engine: str, cpu_us: float) -> int:
    """A round of Python takes 0.1 us here, a native one 1 us."""
    return round(cpu_us / (1.0 if engine == "ENGINE_NATIVE" else 0.1))


CASES: list[tuple[str, list[dict[str, Any]]]] = [
    (f"plan: {STEP}\n", [{"rounds": 3000}]),
    (
        "plan: {steps: [{compute: {cpu_us: 20, engine: ENGINE_NATIVE}}]}\n",
        [{"engine": "ENGINE_NATIVE", "rounds": 20}],
    ),
    (f"mix: {{a: {{share: 1, {STEP[1:]}}}\n", [{"rounds": 3000}]),
    (f"plan: {{}}\narms: {{a: {{model: reactor, plan: {STEP}}}}}\n", [{"rounds": 3000}]),
    (f"scale: {{plans: {{a: {STEP}}}, replicas: [1], cpus: [1]}}\n", [{"rounds": 3000}]),
    ("plan: {steps: [{compute: {rounds: 7}}]}\n", [{"rounds": 7}]),
]


def computes(plan: Any) -> list[dict[str, Any]]:
    """Each compute step in it."""
    if isinstance(plan, dict):
        return [found for key, value in plan.items() for found in ([value] if key == "compute" else computes(value))]
    return [found for each in plan for found in computes(each)] if isinstance(plan, list) else []


@pytest.mark.parametrize(("text", "steps"), CASES, ids=["plan", "engine", "mix", "arm", "scale", "rounds"])
def test_a_cpu_time_becomes_rounds_wherever_a_plan_stands(text: str, steps: list[dict[str, Any]]) -> None:
    asked = experiment.parse(HEAD + text, "mine.yaml")
    assert cpu_time.is_asked(asked) == ("cpu_us" in text)
    made = cpu_time.in_rounds(asked, rounds)
    assert not cpu_time.is_asked(made)
    again = experiment.parse(made.to_yaml(), "again.yaml")
    places = [again.plan, again.mix, *(arm.plan for arm in again.arms.values()), again.scale and again.scale.plans]
    assert [found for place in places for found in computes(place)] == steps


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("{cpu_us: 0}", "cpu_us is 0: set microseconds above 0"),
        ("{cpu_us: fast}", "cpu_us is 'fast': set microseconds above 0"),
        ("{cpu_us: 3, rounds: 3}", "cpu_us and rounds exclude each other"),
    ],
)
def test_a_bad_cpu_time_is_rejected_by_file_and_key(step: str, why: str) -> None:
    with pytest.raises(BadExperimentError) as rejected:
        experiment.parse(f"{HEAD}plan: {{steps: [{{compute: {step}}}]}}\n", "mine.yaml")
    assert str(rejected.value) == f"mine.yaml: at $.plan: {why}"


def test_a_run_prints_what_a_round_costs_and_stores_the_rounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{HEAD}models: [{GOOD}]\nrounds: 1\nplan: {STEP}\n")
    assert cli.main(["run", str(path), "--results", str(tmp_path / "results")], PROGRAMS) == 0
    assert "ENGINE_PYTHON: " in capsys.readouterr().out
    (folder,) = (tmp_path / "results").iterdir()
    (step,) = computes(experiment.read(folder / "experiment.yaml").plan)
    assert step["rounds"] > 1
