"""What is asked of arms and of the load is checked before anything is measured."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tools import arms, cli, experiment
from tools.local import Programs
from tools.serving import environment_of

HEAD = "title: Why?\nconnections: [1]\nrounds: 1\nwarmup_s: 0\nduration_s: 0.05\n"
FREE_THREADED = "SWEETSPOT_TEST_FREE_THREADED"
"""Path of a CPython without the GIL that has the packages of a service."""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(HEAD + text)
    return path


def test_options_of_the_shell_do_not_reach_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing would record them. An arm can set such a variable, and then it does reach its service."""
    monkeypatch.setenv("SWEETSPOT_STYLE", "ripped")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    assert "SWEETSPOT_STYLE" not in environment_of(None, {})
    assert environment_of(None, {"SWEETSPOT_STYLE": "closures"})["SWEETSPOT_STYLE"] == "closures"
    assert environment_of(None, {})["OTEL_SERVICE_NAME"] == "mine"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "arms: {fast: {model: reactor, options: {demultiplexer: kqueue}}}\nplan: {}",
            "at $.arms.fast.options: reactor: --demultiplexer: 'kqueue' is not one of epoll, poll, select",
        ),
        (
            "arms: {fast: {model: reactor, options: {threads: 3}}}\nplan: {}",
            "at $.arms.fast.options: reactor: --threads: not an option of reactor, only of process_pool\n",
        ),
        (
            "arms: {half: {model: half_sync_half_async, options: {processes: 2}}}\nplan: {}",
            "at $.arms.half.options: half_sync_half_async: --processes: has an effect only with --hand-off processes",
        ),
        (
            "models: [reactor]\nservice_options: {accounts: 0}\nplan: {}",
            "at $.service_options: reactor: --accounts: 0 is not within 2 to 1000000",
        ),
        (
            "models: [thread_pool, reactor]\nservice_options: {queue_bound: 7}\nplan: {}",
            "at $.service_options: reactor: --queue-bound: not an option of reactor, only of thread_pool, ",
        ),
        (
            "arms: {many: {model: reactor, cpus: 1000}}\nplan: {}",
            f"at $.arms.many.cpus: 1,000 CPUs, but this machine has {len(os.sched_getaffinity(0))}",
        ),
        (
            "arms: {other: {model: reactor, python: /nowhere/python}}\nplan: {}",
            "at $.arms.other.python: /nowhere/python cannot be started as a Python interpreter",
        ),
        (
            "arms: {other: {model: reactor, python: {here}/bare}}\nplan: {}",
            "at $.arms.other.python: {here}/bare cannot start the service: ModuleNotFoundError: No module named ",
        ),
        (
            "models: [reactor]\nschedule: steps:2000000@1s\nplan: {}",
            "at $.load: argument --schedule: 2,000,000 calls/s are more than 1,000,000",
        ),
        ("models: [reactor]\nplan: {payload_bytes: -1}", "at $.plan: payload_bytes"),
        (
            "models: [thread_pool]\nscale: {plans: {a: {}}, replicas: [1], cpus: [1], workers: {thread_pool: "
            "{threads_per_cpu: [9999]}}}",
            "at $.scale.workers.thread_pool.threads_per_cpu: thread_pool: --threads-per-cpu: 9999 is not within ",
        ),
    ],
    ids=[
        "a value that is rejected", "an option of another model", "an option without effect", "an option of all",
        "an option of one arm given to all", "too many CPUs", "no interpreter",
        "an interpreter without the packages", "a rate beyond all", "a plan", "workers of a grid",
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_one_line_with_file_and_key_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    path = write(tmp_path, text.replace("{here}", str(tmp_path)))
    assert cli.main(["run", str(path), "--results", str(tmp_path / "results")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sweetspot: {path}: {complaint.replace('{here}', str(tmp_path))}")
    assert error.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "models: [reactor]\nclient: h2load",
            "at $.client: h2load is not installed: install the Debian package nghttp2-c",
        ),
        (
            "models: [reactor]\nclient: ghz",
            "at $.client: ghz is not installed: install Go 1.26 or later, and run `make te",
        ),
        (
            "arms: {a: {model: reactor, client: k6}}",
            "at $.arms.a.client: k6 is not installed: install Go 1.26 or later",
        ),
        (
            "arms: {a: {server: nghttpd, client: h2load}}",
            "at $.arms.a.server: nghttpd is not installed: install the Debian package nghttp2-server",
        ),
    ],
)
def test_a_program_that_is_missing_is_one_line_with_how_to_install_it(
    text: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, f"{text}\nplan: {{}}")
    there = shutil.which
    others = {"ghz", "k6", "nghttpd"} if "server" in text else {"h2load", "ghz", "k6", "nghttpd"}
    monkeypatch.setattr("shutil.which", lambda name, **more: None if name in others else there(name, **more) or name)
    assert cli.main(["run", str(path), "--results", str(tmp_path / "results")]) == 2
    assert capsys.readouterr().err.startswith(f"sweetspot: {path}: {complaint}")
    assert not (tmp_path / "results").exists()


def test_an_arm_with_an_interpreter_of_its_own_runs_under_it_and_the_results_say_so(tmp_path: Path) -> None:
    python = os.environ.get(FREE_THREADED)
    if python is None:
        pytest.skip(f"no interpreter without the GIL: set {FREE_THREADED}")
    locked = f"{{model: thread_pool, python: {python}, environment: {{PYTHON_GIL: '1'}}}}"
    text = f"arms: {{free: {{model: thread_pool, python: {python}}}, locked: {locked}}}\nplan: {{}}"
    results = tmp_path / "results"
    asked = str(write(tmp_path, f"trace_ratio: 0\n{text}"))
    assert cli.main(["run", asked, "--results", str(results), "--despite-noise"]) == 0
    (folder,) = results.iterdir()
    found = json.loads((folder / "environment.json").read_text())["arms"]
    assert {arm: each["gil"] for arm, each in found.items()} == {"free": False, "locked": True}
    assert all(each["packages"]["ngh2"] for each in found.values())
    assert len(list((folder / "trials").iterdir())) == 2


def test_arms_that_are_as_their_model_is_start_no_interpreter(tmp_path: Path) -> None:
    asked = experiment.read(write(tmp_path, "models: [reactor]\nplan: {}"))
    assert arms.check(asked, Programs(services=("/nowhere",))) == {}
