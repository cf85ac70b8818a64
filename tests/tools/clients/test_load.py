"""A load program as the client of a trial: started, read and checked. Most tests put a script in its place."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools import cli, experiment
from tools.clients.load import ProgramLoad
from tools.clients.programs import PROGRAMS
from tools.installed_programs import program_path
from tools.local import LocalError
from tools.measures import failed_share
from tools.results import read_trials

ASKED = experiment.parse("{title: Why, models: [reactor], connections: 2, plan: {}, client: h2load}", "mine")
CALLS = "1000000\t200\t400000\n1000000\t200\t1500000\n"
REPORT = """\
requests: 2 total, 2 started, 2 done, 2 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 2 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 1B (9) total, 1B (9) headers (space savings 9%), 1B ({body}) data"""


def load_of(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> ProgramLoad:
    """Of an h2load that is this script of Python, and a service whose replies have 40 bytes."""
    program = folder / "h2load"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nflags = dict(each.split('=', 1) for each in sys.argv[1:-1])\n{script}"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr("tools.clients.load.reply_bytes", lambda *_: 40)
    return ProgramLoad(
        PROGRAMS["h2load"], ASKED, ASKED.arms["reactor"], ASKED.points[0], "127.0.0.1:9", cpus=(), scratch=folder
    )


def script(body: int = 80, calls: str = CALLS) -> str:
    return f"open(flags['--log-file'], 'w').write({calls!r})\nprint({REPORT.format(body=body)!r})"


def test_slices_are_runs_whose_calls_are_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = load_of(tmp_path, script(), monkeypatch)
    load.slice(0)
    load.slice(1)
    result: Mapping[str, Any] | None = load.close()
    assert result is not None
    assert result["client"] == "h2load"
    assert (len(result["slices"]), result["got"]["answered"], result["got"]["counted"]) == (2, 2, 4)
    assert result["asked"]["duration_s"] == 2 * ASKED.duration_s
    assert [each.name for each in tmp_path.iterdir()] == ["h2load"]


def test_a_load_without_a_slice_has_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_of(tmp_path, script(), monkeypatch).close() is None


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("sys.exit('no such flag')", "h2load ended with status 1: no such flag"),
        ("print('usage')", "h2load printed no report that can be parsed"),
        (script(calls=""), "h2load reported no call that has ended"),
        (script(body=10), "h2load received 5 bytes per call, but a reply has 40: the service rejected calls"),
    ],
    ids=["it fails", "it prints another report", "it makes no call", "its calls were rejected"],
)
def test_a_program_that_measured_nothing_is_an_error_in_one_line(
    script: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LocalError, match=complaint):
        load_of(tmp_path, script, monkeypatch).slice(0)


def test_a_service_that_rejects_the_plan_is_found_before_it_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """h2load would count each rejected call as a success: it does not read gRPC's status."""
    _installed("h2load")
    status, _ = run(tmp_path, "models: [reactor]\nclient: h2load\nplan: {steps: [{compute: {rounds: 99999999}}]}")
    assert status == 1
    assert "the service answered INVALID_ARGUMENT: steps[0].compute" in capsys.readouterr().out


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_client_loads_a_real_service_and_its_trial_is_verified(client: str, tmp_path: Path) -> None:
    _installed(client)
    status, folder = run(tmp_path, f"models: [reactor]\nclient: {client}\nplan: {{payload_bytes: 32}}\nblocks: 2")
    assert status == 0
    (trial,) = read_trials(folder).trials
    assert trial.client == client
    assert failed_share(trial) == 0
    assert trial.result["got"]["counted"] > trial.result["got"]["answered"] > 0
    assert cli.main(["verify", str(folder)]) == 0
    assert f"{client} made the load of reactor" in (folder / "report.html").read_text()


def test_a_reference_server_is_measured_like_a_model(tmp_path: Path) -> None:
    _installed("h2load")
    _installed("nghttpd")
    status, folder = run(tmp_path, "arms: {bare: {server: nghttpd}}\nclient: h2load\nplan: {payload_bytes: 32}")
    assert status == 0
    (trial,) = read_trials(folder).trials
    assert (trial.model, trial.after.model, trial.after.processes) == ("nghttpd", "nghttpd", 1)
    assert trial.after.pss_bytes > 0
    assert sum(trial.slices_cpu_ns) > 0


def run(folder: Path, text: str) -> tuple[int, Path]:
    path = folder / "mine.yaml"
    path.write_text(
        f"title: Why?\nconnections: 2\nstreams: 2\nrounds: 1\nwarmup_s: 0.1\nduration_s: 0.3\ntrace_ratio: 0\n{text}\n"
    )
    status = cli.main(["run", str(path), "--results", str(folder / "results"), "--despite-noise"])
    (results,) = (folder / "results").iterdir()
    return status, results


def _installed(program: str) -> None:
    try:
        program_path(program, "")
    except LocalError:
        pytest.skip(
            f"build/testers/{program} is missing" if program in {"ghz", "k6"} else f"{program} is not installed"
        )
