"""`sweetspot export`: each format is read back by a reader of its own, and void trials have no figures."""

import csv
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.tools import driven
from tools import bundle, cli
from tools.results import TrialId, read_trials, write_void

REASON = "other processes took 30 % of the service's CPUs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms in three rounds, of which one trial is void and one is missing."""
    made = driven.closed(tmp_path_factory.mktemp("whole") / "run")
    write_void(made, TrialId("reactor", "10", 2), REASON)
    (made / "trials" / "thread_pool-10-3.json").unlink()
    bundle.close(made, 1)
    return made


def export(folder: Path, form: str, to: Path) -> None:
    assert cli.main(["export", str(folder), f"--{form}", str(to)]) == 0


def test_csv_has_a_row_for_each_trial_and_slice_and_the_reason_of_a_void_one(folder: Path, tmp_path: Path) -> None:
    export(folder, "csv", tmp_path)
    with (tmp_path / "trials.csv").open(newline="") as file:
        first, void, *_ = rows = list(csv.DictReader(file))
    assert [(row["arm"], row["round"]) for row in rows] == [
        ("reactor", "1"), ("reactor", "2"), ("reactor", "3"), ("thread_pool", "1"), ("thread_pool", "2"),
    ]  # fmt: skip
    assert (void["void"], void["rate_rps"], void["latency_p99_ns"]) == (REASON, "", "")
    trial = read_trials(folder).trials[0]
    assert float(first["rate_rps"]) == trial.result["got"]["rate_rps"]
    # Four calls in 2,000 failed: one in a thousand took longer than any that was answered.
    assert (first["latency_p999_is_bound"], first["latency_p99_is_bound"]) == ("true", "false")
    with (tmp_path / "slices.csv").open(newline="") as file:
        slices = list(csv.DictReader(file))
    assert len(slices) == 4 * 4
    assert sum(int(row["answered"]) for row in slices[:4]) == trial.result["got"]["answered"]


def test_a_log_of_intervals_holds_every_latency_of_an_arm_at_a_point(folder: Path, tmp_path: Path) -> None:
    export(folder, "hlog", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"reactor-10.hlog", "thread_pool-10.hlog"}
    log = HistogramLogReader(str(tmp_path / "reactor-10.hlog"), HdrHistogram(1_000, 120_000_000_000, 3))
    intervals = []
    while (interval := log.get_next_interval_histogram()) is not None:
        intervals.append(interval)
    log.close()
    rounds = [trial for trial in read_trials(folder).trials if trial.arm == "reactor"]
    assert len(intervals) == 2 * 4
    assert sum(each.get_total_count() for each in intervals) == sum(each.result["calls"]["ok"] for each in rounds)
    lasted_ms = [each.get_end_time_stamp() - each.get_start_time_stamp() for each in intervals]
    assert lasted_ms == pytest.approx([500] * 8, abs=1)


def test_openmetrics_have_the_arm_the_point_and_the_round_as_labels(folder: Path, tmp_path: Path) -> None:
    export(folder, "prometheus", tmp_path / "run.txt")
    families = {each.name: each for each in text_string_to_metric_families((tmp_path / "run.txt").read_text())}
    rates = {tuple(each.labels.values()): each.value for each in families["sweetspot_rate_calls_per_second"].samples}
    trials = read_trials(folder).trials
    assert rates == {(each.arm, each.id.point, str(each.id.round)): each.result["got"]["rate_rps"] for each in trials}
    quantiles = {each.labels["quantile"] for each in families["sweetspot_latency_seconds"].samples}
    assert quantiles == {"0.5", "0.9", "0.99"}  # of p99.9 only a bound is known
    planned = sum(each.value for each in families["sweetspot_calls"].samples)
    assert planned == sum(each.result["calls"]["planned"] for each in trials)


def test_junit_skips_a_void_trial_and_has_an_error_for_a_missing_one(folder: Path, tmp_path: Path) -> None:
    export(folder, "junit", tmp_path / "run.xml")
    suite = ElementTree.parse(tmp_path / "run.xml").getroot()
    outcomes = {f"{case.get('classname')} {case.get('name')}": case[0] for case in suite}
    assert {name: case.tag for name, case in outcomes.items() if case.tag != "system-out"} == {
        "reactor.10 round 2": "skipped",
        "thread_pool.10 round 3": "error",
    }
    assert outcomes["reactor.10 round 2"].get("message") == f"void: {REASON}"
    assert (suite.get("tests"), suite.get("skipped"), suite.get("errors")) == ("6", "1", "1")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["{here}", "--csv", "{here}/out"],
            "{here}/bundle.json: No such file or directory: not a closed results folder",
        ),
        (["{run}", "--csv", "{run}/out"], "{run}/out: is inside {run}, which must not change: choose another path"),
        (["{run}", "--junit", "{file}/out"], "{file}/out: cannot be written: "),
    ],
    ids=["no results", "within", "not writable"],
)
def test_what_a_person_can_put_right_is_one_line_and_leaves_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    (tmp_path / "file").touch()
    places = {"here": tmp_path, "run": folder, "file": tmp_path / "file"}
    assert cli.main(["export", *(argument.format(**places) for argument in arguments)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"sweetspot: {complaint.format(**places)}")
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert not (folder / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_trial_of_an_older_version_is_rejected_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = driven.closed(tmp_path / "old")
    path = old / "trials" / "reactor-10-1.json"
    path.write_text(path.read_text().replace('"version": ', '"version": 1', 1))
    for command in (["export", str(old), "--csv", str(tmp_path / "out")], ["compare", str(old)]):
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"sweetspot: {old}: trials/reactor-10-1.json: written by another version (1")
    assert not (tmp_path / "out").exists()
