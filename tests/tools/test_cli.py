"""The command as a user sees it: what it prints, where it leaves the results, how it fails."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.fake_programs import ENDLESS, GOOD, PROGRAMS, STILLBORN, UNANSWERED
from tools import cli

MINE = "title: Why?\nmodels: [{models}]\nconnections: [{connections}]\nplan: {{}}\nrounds: 1\n"


def experiment(folder: Path, models: str = GOOD, connections: str = "1") -> str:
    path = folder / "mine.yaml"
    path.write_text(MINE.format(models=models, connections=connections))
    return str(path)


def only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_a_run_gives_the_answer_then_the_table_then_where_the_report_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    assert cli.main(["run", experiment(tmp_path, connections="1, 10"), "--results", str(results)], PROGRAMS) == 0
    said = capsys.readouterr().out
    parts = ["1/2  good", "2/2  good", "At 10 connections good serves 100 calls/s", "CPU/call", "10 connections\ngood"]
    assert [part for part in parts if part not in re.sub(r" +\n", "\n", said)] == []
    assert sorted(parts, key=lambda part: re.sub(r" +\n", "\n", said).index(part)) == parts
    assert said.splitlines()[-1] == str(only(results) / "report.html")


def test_a_results_folder_tells_what_was_asked_and_where_it_ran(tmp_path: Path) -> None:
    results = tmp_path / "results"
    cli.main(["run", experiment(tmp_path), "--results", str(results)], PROGRAMS)
    folder = only(results)
    assert re.fullmatch(r"mine-\d{8}T\d{6}Z", folder.name)
    assert {path.name for path in folder.iterdir()} == {
        "experiment.yaml", "environment.json", "trials", "traces", "report.html", "bundle.json",
    }  # fmt: skip
    environment = json.loads((folder / "environment.json").read_text())
    assert {"kernel", "cpus", "pinning", "open_files", "python", "git_revision", "packages"} <= environment.keys()
    assert environment["packages"]["ngh2"]


def test_models_may_be_narrowed_down(tmp_path: Path) -> None:
    results = tmp_path / "results"
    asked = experiment(tmp_path, models=f"{STILLBORN}, {GOOD}")
    assert cli.main(["run", asked, "--models", GOOD, "--results", str(results)], PROGRAMS) == 0
    assert [path.name for path in (only(results) / "trials").iterdir()] == ["good-1-1.json"]


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results"
    cli.main(["run", experiment(tmp_path, connections="1, 10"), "--results", str(results)], PROGRAMS)
    first, second = (only(results) / "trials" / f"good-{connections}-1.json" for connections in (1, 10))
    second.unlink()
    kept = first.stat()
    capsys.readouterr()
    assert cli.main(["run", "--resume", str(only(results))], PROGRAMS) == 0
    assert second.exists()
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == (kept.st_mtime_ns, kept.st_ino)
    assert "1/1  good" in capsys.readouterr().out


def test_a_resumed_run_says_when_it_is_no_longer_on_the_same_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    cli.main(["run", experiment(tmp_path), "--results", str(results)], PROGRAMS)
    (only(results) / "environment.json").write_text("{}")
    cli.main(["run", "--resume", str(only(results))], PROGRAMS)
    assert "the machine or the code differs from" in capsys.readouterr().err


def test_a_failed_trial_is_told_twice_and_ends_in_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results"
    asked = experiment(tmp_path, models=f"{GOOD}, {STILLBORN}")
    assert cli.main(["run", asked, "--results", str(results)], PROGRAMS) == 1
    said = capsys.readouterr()
    assert "failed: stillborn ended with status 1: stillborn: Address already in use" in said.out
    assert said.err.startswith("sweetspot: 1 of 3 trials failed; to run the 1 missing: ")
    assert said.err.endswith(f"sweetspot run --resume {only(results)}\n")


def test_a_model_that_answers_nothing_is_a_result_with_its_reason_and_no_failure_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = experiment(tmp_path, connections=str(UNANSWERED))
    assert cli.main(["run", asked, "--results", str(tmp_path / "results")], PROGRAMS) == 0
    told = capsys.readouterr()
    why = "no call was answered OK while measuring: 7 unfinished; first UNAVAILABLE: backend is down"
    assert f"good                        7 connections  round 1  {why}" in told.out
    assert f"good at 7 connections: {why}." in " ".join(told.out.split())
    assert why in (only(tmp_path / "results") / "report.html").read_text()
    assert not told.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "nope"], "no experiment 'nope'"),
        (["run", "{mine}", "--models", "good,mistyped"], "unknown model 'mistyped'; the models are good,"),
        (["run", "{mine}", "--results", "{mine}"], "cannot be written: "),
        (["run", "{bad}"], "not YAML"),
        (["run", "{mine}", "--resume", "{here}"], "give either an EXPERIMENT to run or a folder to --resume"),
        (["run"], "give either an EXPERIMENT to run or a folder to --resume"),
        (["run", "--resume", "{here}"], "experiment.yaml: No such file or directory"),
        (["report", "{here}"], "not a results folder"),
    ],
    ids=["no experiment", "no model", "no folder", "bad YAML", "both", "neither", "not a run", "not results"],
)
def test_what_a_person_can_put_right_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    (tmp_path / "bad.yaml").write_text("title: [")
    places = {"mine": experiment(tmp_path), "bad": str(tmp_path / "bad.yaml"), "here": str(tmp_path)}
    assert cli.main([argument.format(**places) for argument in arguments], PROGRAMS) == 2
    said = capsys.readouterr()
    assert complaint in said.err
    assert said.err.startswith("sweetspot: ")
    assert said.err.count("\n") == 1


def test_two_commands_do_not_work_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results"
    cli.main(["run", experiment(tmp_path), "--results", str(results)], PROGRAMS)
    folder = only(results)
    script = """
import sys
from pathlib import Path
from tools.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""
    capsys.readouterr()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        assert cli.main(["run", "--resume", str(folder)], PROGRAMS) == 2
    said = capsys.readouterr()
    assert said.err == f"sweetspot: {folder}: process {other.pid} uses this folder: wait until it ends, or stop it\n"
    assert cli.main(["run", "--resume", str(folder)], PROGRAMS) == 0


def test_a_report_names_what_it_could_not_read_and_ends_in_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    cli.main(["run", experiment(tmp_path, connections="1, 10"), "--results", str(results)], PROGRAMS)
    (only(results) / "trials" / "good-10-1.json").write_text("{")
    capsys.readouterr()
    assert cli.main(["report", str(only(results))], PROGRAMS) == 1
    said = capsys.readouterr()
    assert said.err.startswith("sweetspot: trials/good-10-1.json: not JSON: ")
    assert said.err.count("\n") == 1
    assert "1 connection" in said.out


OF_CLUSTER = (
    "--namespace=n", "--release=r", "--shards=1", "--balance=headless", "--driver-cpu=1", "--driver-memory=1Gi",
    "--keep-pods",
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "flag", "why"),
    [
        *((["run", "smoke"], flag, "without --cluster") for flag in OF_CLUSTER),
        *(
            (["run", "--resume", "{here}"], flag, "with --resume: a run continues with its own settings")
            for flag in (*OF_CLUSTER, "--cluster", "--results=r")
        ),
    ],
    ids=str,
)
def test_a_flag_that_would_change_nothing_is_refused(
    arguments: list[str], flag: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [argument.format(here=tmp_path) for argument in arguments]
    assert cli.main([*asked, flag], PROGRAMS) == 2
    assert capsys.readouterr().err == f"sweetspot: {flag.partition('=')[0]} has no effect {why}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["walk"], ["run", "smoke", "--fast"], ["report"], ["run", "smoke", "--driver-cpu=much"]]
)
def test_a_command_line_that_is_not_understood_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments, PROGRAMS)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_keeps_what_it_has_says_how_to_go_on_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    results = tmp_path / "results"
    asked = experiment(tmp_path, connections=f"1, {ENDLESS}")
    mark = f"MARK_OF_TEST={tmp_path}"
    command = [sys.executable, "-m", "tests.tools.fake_programs", "sweetspot", "run", asked, "--results", str(results)]
    environment = os.environ | {"MARK_OF_TEST": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any("1/2" in line for line in process.stdout)
        process.send_signal(number)
        said, complained = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complained.startswith("sweetspot: interrupted; 1 finished trials are stored; to run the 1 missing: ")
    assert complained.endswith(f"sweetspot run --resume {only(results)}\n")
    assert said.splitlines()[-1] == str(only(results) / "report.html")
    assert (only(results) / "trials" / "good-1-1.json").exists()
    assert processes_with(mark) == []


def processes_with(variable: str) -> list[str]:
    """Processes that inherited this variable, whatever their parent is by now."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):  # with `/environ` glob itself raises where a process has just ended
        try:
            if variable.encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(path.name)
        except OSError:
            continue
    return found


SCALE = """
title: Which?
models: [good]
connections: [2]
rounds: 1
scale: {plans: {echo: {}}, replicas: [1, 64], cpus: [1], search: {trials: 1}}
"""


def test_a_scale_gives_the_answer_then_the_table_then_where_the_page_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "grid.yaml").write_text(SCALE)
    results = tmp_path / "results"
    assert cli.main(["run", str(tmp_path / "grid.yaml"), "--results", str(results)], PROGRAMS) == 0
    said = capsys.readouterr().out
    assert re.search(r"echo .* 64 x 1  left out: needs 64 CPUs", said)
    assert "With 1 CPU in all" in said
    assert said.splitlines()[-1] == str(only(results) / "report.html")
    assert cli.main(["report", str(only(results))], PROGRAMS) == 0
    assert "With 1 CPU in all" in capsys.readouterr().out
    assert cli.main(["run", "--resume", str(only(results))], PROGRAMS) == 0
    assert "0 cells" in capsys.readouterr().out
