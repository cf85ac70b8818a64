"""A key that is given twice is rejected in every YAML file that a user writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.driver import strict_yaml as drivers
from services.driver.plan import PlanError, read_plan
from tools import cli
from tools import strict_yaml as of_tools

PLAN = "steps:\n  - compute: {rounds: 20000}\nsteps: []\n"
EXPERIMENT = """title: duplicate
models: [reactor]
connections: [1]
plan:
  steps: [{compute: {rounds: 20000}}]
plan:
  steps: []
"""

Load = Callable[[str], Any]
both = pytest.mark.parametrize("load", [drivers.load, of_tools.load], ids=["driver", "tools"])


@both
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (PLAN, "line 3: the key 'steps' is given twice"),
        ('{"steps": [], "keys": 2,\n "steps": []}', "line 2: the key 'steps' is given twice"),
        ("a: [{b: {c: 1, c: 1}}]", "line 1: the key 'c' is given twice"),
        ("1: a\n0x1: b", "line 2: the key '0x1' is given twice"),
        ("&a a: 1\n'a': 2", "line 2: the key 'a' is given twice"),
    ],
    ids=["a plan", "JSON", "within", "two ways to write it", "quoted"],
)
def test_a_key_that_is_given_twice_is_named_with_its_line(load: Load, text: str, complaint: str) -> None:
    with pytest.raises((drivers.DuplicateKeyError, of_tools.DuplicateKeyError)) as refused:
        load(text)
    assert str(refused.value) == complaint


@both
def test_a_mapping_may_replace_what_it_merges(load: Load) -> None:
    merged = load("base: &base {a: 1, b: 2}\nmine:\n  <<: *base\n  b: 3\n")
    assert merged["mine"] == {"a": 1, "b": 3}


def test_a_plan_with_a_key_twice_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    with pytest.raises(PlanError) as refused:
        read_plan(tmp_path / "plan.yaml")
    assert str(refused.value) == f"{tmp_path}/plan.yaml: line 3: the key 'steps' is given twice"


def test_an_experiment_with_a_key_twice_is_refused_in_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(EXPERIMENT)
    assert cli.main(["run", str(tmp_path / "mine.yaml"), "--results", str(tmp_path / "results")]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"sweetspot: {tmp_path}/mine.yaml: line 6: the key 'plan' is given twice\n")
    assert not (tmp_path / "results").exists()
