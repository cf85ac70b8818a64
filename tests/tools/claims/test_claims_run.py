"""What a run stores of its claims: copies and hashes of all that was written before it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tools.claims.made import in_place, state
from tools.claims import claims_run, counting, reading
from tools.claims.claim import Claim


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of that of the claims. It has C24 and C25, which count code."""
    in_place(tmp_path, monkeypatch)
    for name in ("C24", "C25"):
        state(tmp_path, claim=name, kind="counted", experiment="styles", statistic={"value": "faults"})
    return tmp_path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That counts the styles in the place of the usual one."""
    path = tmp_path / "counted.py"
    path.write_text("def count(programs):\n    return {'faults': 7}\n")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), path, "exec"), names)
    counted = replace(counting.COUNTINGS["styles"], count=names["count"])
    monkeypatch.setitem(counting.COUNTINGS, "styles", counted)
    return path


def register(folder: Path) -> Path:
    claims_run.register(folder / "run", list(reading.claims().values()), [])
    return folder / "run"


def test_code_that_counts_is_a_part_of_what_is_registered(folder: Path, module: Path) -> None:
    run = register(folder)
    assert (run / module.parent.name / module.name).read_text() == module.read_text()
    assert claims_run.edited(run, claims_run.read(run)) == []
    module.write_text(module.read_text().replace("7", "0"))
    first, second = claims_run.edited(run, claims_run.read(run))
    assert (
        first == f"{folder}/statements/C24.yaml: the claim or its experiment was edited after the run in {run} started"
    )
    assert second.startswith(f"{folder}/statements/C25.yaml: ")


def test_a_claim_whose_file_is_gone_was_edited(folder: Path, module: Path) -> None:
    run = register(folder)
    (folder / "statements" / "C24.yaml").unlink()
    (line,) = claims_run.edited(run, claims_run.read(run))
    assert line.startswith(f"{folder}/statements/C24.yaml: ")


def test_claims_are_read_once_to_see_which_were_edited(
    folder: Path, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read all of them takes more than a second."""
    run = register(folder)
    reads: list[None] = []
    read: Callable[[], dict[str, Claim]] = reading.claims

    def counted() -> dict[str, Claim]:
        reads.append(None)
        return read()

    monkeypatch.setattr(reading, "claims", counted)
    claims_run.edited(run, claims_run.read(run))
    assert len(reads) == 1


def test_every_counting_has_a_module_of_its_package() -> None:
    package = Path(counting.__file__).parent
    assert {each.code.parent for each in counting.COUNTINGS.values()} == {package}
