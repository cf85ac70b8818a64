"""A calibration: which one holds for a run, what it rejects, and what the report shows of it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.tools import sample
from tests.tools.fake_programs import GOOD, PROGRAMS
from tools import cli, report
from tools.calibrate import calibration, measure
from tools.calibrate.calibration import Calibration, CalibrationFigure, CalibrationPoint
from tools.results import BadResultsError, write_trial

MACHINE = {"cpu": "Z80", "cpus": 2, "kernel": "CP/M", "pinning": "none", "python": "CPython 3.11"}


def made(rate_rps: float = 1000, environment: dict[str, Any] = MACHINE) -> Calibration:
    rate = CalibrationFigure(value=rate_rps, low=rate_rps * 0.9, high=rate_rps * 1.1)
    points = (
        CalibrationPoint(connections=10, streams=10, rate_rps=rate, latency_ns=2_000_000, null_latency_ns=100_000),
        CalibrationPoint(connections=1, streams=1, rate_rps=rate, latency_ns=145_000, null_latency_ns=100_000),
    )
    return Calibration(environment=environment, others_share=0.0, points=points)


def test_the_newest_of_the_same_quiet_machine_holds(tmp_path: Path) -> None:
    for name, each in {
        "calibration-1": made(1),
        "calibration-2": made(2),
        "calibration-3": made(3, {**MACHINE, "cpu": "6502"}),
        "calibration-4": structs.replace(made(4), others_share=0.3),
    }.items():
        calibration.write(tmp_path / name, each)
    assert calibration.newest(tmp_path, {**MACHINE, "git_revision": "abc"}) == (tmp_path / "calibration-2", made(2))
    assert calibration.newest(tmp_path / "calibration-1", MACHINE) is None


def test_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration-1" / "calibration.json"
    path.parent.mkdir()
    path.write_text('{"version": 2}')
    with pytest.raises(BadResultsError, match=f"^{path}: not a calibration: .*: calibrate again$"):
        calibration.newest(tmp_path, MACHINE)


def test_the_report_states_the_drivers_share(tmp_path: Path) -> None:
    write_trial(tmp_path, sample.trial("reactor", 10))
    calibration.write(tmp_path, made(12_345))
    page = report.write(tmp_path).read_text(encoding="utf-8")
    assert (
        "According to the calibration, the driver makes at most 12,345 calls/s on this machine and adds 45 µs "
        "to the latency of a single call"
    ) in page


def test_a_calibration_is_kept_and_stops_a_rate_that_the_driver_cannot_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "POINTS", ((1, 1), (2, 2)))
    monkeypatch.setattr(measure, "BLOCKS", 2)
    monkeypatch.setattr(measure, "DURATION_S", 0.5)  # a busy machine may stop a process for 0.1 s
    results = tmp_path / "results"
    assert cli.main(["calibrate", "--results", str(results)]) == 0
    (folder,) = results.iterdir()
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "calibration.json")
    found = calibration.read(folder)
    assert found is not None
    assert [point.name for point in found.points] == ["1x1", "2x2"]

    asked = tmp_path / "mine.yaml"
    asked.write_text(f"title: Why?\nmodels: [{GOOD}]\nconnections: 1\nrate_rps: [10, 900000]\nplan: {{}}\nrounds: 1\n")
    assert cli.main(["run", str(asked), "--results", str(results)], PROGRAMS) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("sweetspot: rate_rps: 900,000 calls/s is more than the driver can send on this machine")
    assert complaint.count("\n") == 1
    assert list(results.iterdir()) == [folder]

    asked.write_text(asked.read_text().replace(", 900000", ""))
    assert cli.main(["run", str(asked), "--results", str(results)], PROGRAMS) == 0
    (run,) = set(results.iterdir()) - {folder}
    assert calibration.read(run) == found
