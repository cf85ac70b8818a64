"""That a handler does not depend on its dispatcher is counted from lines that run, and an import of one is seen."""

from pathlib import Path

import pytest

from tools.claims.counting import COUNTINGS
from tools.claims.counting.dispatch import imports
from tools.local import Programs


def test_the_same_lines_run_whoever_dispatches() -> None:
    counted = COUNTINGS["dispatch"].count(Programs())
    assert len(set(counted["lines"].values())) == 1
    assert counted["lines"]["epoll"] > 10
    assert set(counted["differing"].values()) == {0}
    assert counted["imports_of_dispatchers"] == 0


IMPORTS = [
    ("import services.runtime.readiness.loop", 1),
    ("from services.runtime.readiness import loop", 1),
    ("from services import runtime", 1),
    ("from services.models.reactor import serve", 1),
    ("from services.workload.run import Run", 0),
    ("import services.runtimes", 0),
    ("def late():\n    from services.runtime.readiness.loop import Loop", 1),
]


@pytest.mark.parametrize(("text", "number"), IMPORTS)
def test_an_import_of_a_dispatcher_is_counted(text: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(text, encoding="utf-8")
    assert imports(tmp_path) == number
