"""What GitHub reads of this project: the forms of issues, and the workflow that runs `.ci/run`."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
"""Of fields, as GitHub's form schema has them ("Syntax for GitHub's form schema" in its documentation)."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_one_that_github_shows(path: Path) -> None:
    form = read(path)
    fields = [each for each in form["body"] if each["type"] != "markdown"]
    assert {"name", "description", "body"} <= form.keys() <= {"name", "description", "title", "labels", "body"}
    assert {each["type"] for each in form["body"]} <= KINDS
    assert len({each["id"] for each in fields}) == len(fields)
    assert len({each["attributes"]["label"] for each in fields}) == len(fields)
    assert all(each["attributes"]["options"] for each in fields if each["type"] == "dropdown")
    assert any(each.get("validations", {}).get("required") for each in fields)


def test_the_links_of_the_forms_lead_to_files() -> None:
    links = [link for path in FORMS for link in re.findall(r"\]\(\.\./blob/HEAD/([^)#]+)", path.read_text())]
    assert [link for link in links if not (ROOT / link).is_file()] == []
    assert "SECURITY.md" in links


def test_ci_runs_with_each_python_that_the_project_supports() -> None:
    (job,) = read(GITHUB / "workflows" / "ci.yml")["jobs"].values()
    pythons = job["strategy"]["matrix"]["python"]
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f">={pythons[0]}" == least
    assert pythons == [f"3.{minor}" for minor in range(11, 11 + len(pythons))]
    assert job["container"]["image"] == "python:${{ matrix.python }}-bookworm"
    assert job["steps"][-1]["run"] == ".ci/run"


def test_ci_may_read_alone_and_each_action_is_one_commit() -> None:
    workflow = read(GITHUB / "workflows" / "ci.yml")
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in job
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []
