"""`sweetspot styles`: the styles' own figures, readable, and one line where there are none."""

import json
import sys

import pytest

from services.workload.costs import STYLES
from tools import cli
from tools.local import Programs


def test_every_style_has_its_row_in_every_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["styles"]) == 0
    said = capsys.readouterr().out.splitlines()
    rows = [line.split()[0] for line in said if line.split()[:1] and line.split()[0] in STYLES]
    assert rows == [*STYLES] * 4
    assert max(map(len, said)) <= 80


NO_COSTS = [
    ("print('figures')", "styles printed a line that is not JSON"),
    ("import sys; sys.exit('no figures today')", "no figures today"),
]


@pytest.mark.parametrize(("program", "why"), NO_COSTS)
def test_figures_that_cannot_be_had_are_one_line(program: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["styles"], Programs(costs=(sys.executable, "-c", program))) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1


def test_json_is_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    costs = {"linear": {"resume_ns": {"1": 2.5}}}
    program = f"print({json.dumps(costs)!r})"
    assert cli.main(["styles", "--json"], Programs(costs=(sys.executable, "-c", program))) == 0
    assert json.loads(capsys.readouterr().out) == costs
