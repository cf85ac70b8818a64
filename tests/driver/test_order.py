"""The driver of one connection: the order in which calls end, and those that do not."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from services.driver import order
from tests.driver.fake_service import Act, FakeService, Script


def printed(capsys: pytest.CaptureFixture[str], tmp_path: Path, script: Script, *flags: str) -> list[str]:
    plan = tmp_path / "plan.yaml"
    plan.write_text("payload_bytes: 8")
    with FakeService(script).running() as address:
        assert order.main([f"--address={address}", f"--plan={plan}", "--timeout=0.3", *flags]) == 0
    return capsys.readouterr().out.splitlines()


def test_each_connection_prints_in_which_order_its_calls_ended(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("go on\ngo on\n"))
    lines = printed(capsys, tmp_path, lambda _: Act.REPLY, "--calls=4", "--window=2", "--times=2", "--every=3")
    of_one = [{"order": [0, 1, 2, 3], "codes": {"OK": 4}, "workers": {"w": 4}}]
    assert [json.loads(line) for line in lines if line != "ended 3"] == 2 * of_one
    assert lines.index("ended 3") == 0


NOT_ANSWERED: list[tuple[Act, dict[str, Any]]] = [
    (Act.IGNORE, {"order": [0, 2], "codes": {"OK": 2}, "workers": {"w": 2}}),
    (Act.REFUSE, {"order": [0, 1, 2], "codes": {"OK": 2, "RESOURCE_EXHAUSTED": 1}, "workers": {"w": 2, "": 1}}),
    (Act.GARBAGE, {"order": [0, 1, 2], "codes": {"OK": 3}, "workers": {"w": 2, "": 1}}),
]


@pytest.mark.parametrize(("act", "ended"), NOT_ANSWERED)
def test_a_call_that_is_not_answered_well_shows(
    act: Act, ended: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (line,) = printed(capsys, tmp_path, lambda call: act if call == 1 else Act.REPLY, "--calls=3", "--window=3")
    found = json.loads(line)
    assert {**found, "order": sorted(found["order"])} == ended


def test_a_connection_that_is_lost_ends_its_calls(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (line,) = printed(capsys, tmp_path, lambda call: Act.DROP if call == 2 else Act.REPLY, "--calls=9", "--window=1")
    assert json.loads(line)["codes"] == {"OK": 2, "UNAVAILABLE": 1}


def test_what_cannot_be_asked_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert order.main(["--address=127.0.0.1:1", f"--plan={tmp_path / 'no.yaml'}", "--calls=1", "--window=1"]) == 2
    assert capsys.readouterr().err.endswith("no.yaml: No such file or directory\n")
    with pytest.raises(SystemExit, match="2"):
        order.main(["--address=127.0.0.1:1", f"--plan={tmp_path}", "--calls=0", "--window=1"])
    assert "--calls" in capsys.readouterr().err
