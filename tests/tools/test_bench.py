"""The bench: its arithmetic, what it makes of h2load's words, what it keeps, and that it says what is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tools.bench import clients, idle, record, servers, tables
from tools.bench.__main__ import main
from tools.bench.clients import Timing
from tools.bench.record import Record
from tools.bench.targets import BUSY, TARGETS, Idle, Load, Measurement, Subject, Target, idle_verdict, subjects, verdict
from tools.local import LocalError
from tools.results import BadResultsError

OURS, THEIRS = Subject("reactor", BUSY), Subject("grpcio_asyncio", BUSY)
TARGET = Target(OURS, THEIRS, 6.0)
ENVIRONMENT = {"kernel": "Linux", "python": "CPython", "git_revision": "0", "packages": {}, "programs": {}}
ASKED = {"rounds": 3, "warmup_s": 1.0, "duration_s": 3.0, "payload_bytes": 32, "server_cpu": 0, "client_cpu": 1}

CLOSING_LINES = """
finished in 3.00s, 36365.00 req/s, 2.32MB/s
requests: 72730 total, 72730 started, 72730 done, {succeeded} succeeded, {failed} failed, 0 errored, 0 timeout
status codes: {ok} 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 4.65MB ({total}) total, 1.37MB (1434420) headers (space savings 93.50%), 5.33MB (5588700) data
"""


def said(succeeded: int = 72730, failed: int = 0, ok: int = 72730, total: int = 4874475) -> list[str]:
    return CLOSING_LINES.format(succeeded=succeeded, failed=failed, ok=ok, total=total).splitlines()


def measured(number: int, subject: Subject, calls: int, cpu_us: int = 10) -> Measurement:
    return Measurement(number, subject, calls, 1.0, calls * cpu_us * 1000, 500_000_000)


def test_a_ratio_is_made_within_a_round_so_that_a_slower_machine_does_not_show() -> None:
    """Rates halve from round to round; each round's ratio is 7, while any mixture of rounds is not."""
    rounds = [
        measured(number, subject, calls >> number)
        for number in (1, 2, 3)
        for subject, calls in ((OURS, 5600), (THEIRS, 800))
    ]
    found = verdict(TARGET, rounds)
    assert (found.got, found.lowest, found.highest, found.reached) == (7.0, 7.0, 7.0, True)


def test_the_median_round_decides() -> None:
    rounds = [
        each
        for number, calls in ((1, 500), (2, 590), (3, 9000))
        for each in (measured(number, OURS, calls), measured(number, THEIRS, 100))
    ]
    found = verdict(TARGET, rounds)
    assert (found.got, found.lowest, found.highest, found.reached) == (5.9, 5.0, 90.0, False)


def test_a_ratio_by_cpu_is_high_for_whoever_needs_less_of_it() -> None:
    assert verdict(TARGET, [measured(1, OURS, 7, cpu_us=10), measured(1, THEIRS, 1, cpu_us=80)]).by_cpu == 8.0


def test_a_round_that_lacks_one_side_counts_for_nothing() -> None:
    found = verdict(TARGET, [measured(1, OURS, 700), measured(2, THEIRS, 100)])
    assert (found.got, found.reached) == (None, None)


@pytest.mark.parametrize(("grown_kib", "reached"), [(16 * 5000, True), (16 * 5000 + 1, False)])
def test_idle_connections_may_cost_as_much_as_asked_and_no_more(grown_kib: int, reached: bool) -> None:
    assert idle_verdict(Idle("reactor", 5000, 1024, 1024 + grown_kib * 1024)).reached is reached


def test_every_target_is_measured_and_nothing_twice() -> None:
    found = subjects([("reactor",), ("reactor", "--style", "ripped")])
    assert {side for target in TARGETS for side in (target.subject, target.baseline)} < set(found)
    assert Subject("reactor", BUSY, options=("--style", "ripped")) in found
    assert len(found) == len(set(found))


def test_h2load_tells_how_many_calls_were_answered() -> None:
    assert clients.succeeded(said(), least_bytes=39) == 72730


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (said(succeeded=0, ok=0), "0 succeeded"),
        (said(failed=3), "3 failed"),
        (said(ok=72000), "72000 of status 2xx"),
        (said(total=72730 * 15), "15 bytes a call: the payload did not come back"),
        ([], "nothing that can be read"),
    ],
)
def test_calls_that_went_wrong_are_no_measurement(lines: list[str], complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        clients.succeeded(lines, least_bytes=39)


def test_cpu_time_of_another_process_is_what_it_says_itself() -> None:
    """One that has no children, unlike that of the tests, asked both ways; in between it uses some."""
    script = """
import os, time
from tools.bench import clients
print(time.process_time_ns(), clients.cpu_ns(os.getpid()), time.process_time_ns())
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True).stdout
    before, read, after = map(int, said.split())
    assert before <= read <= after


def a_record() -> Record:
    made = Record("2026-01-31T12:00:00Z", ASKED, ENVIRONMENT, idle=Idle("reactor", 5000, 1, 2))
    made.measurements = [measured(1, OURS, 700), measured(1, THEIRS, 100)]
    return made


def test_a_bench_is_kept_with_raw_rounds_and_verdicts(tmp_path: Path) -> None:
    kept = json.loads(record.write(tmp_path, a_record()).read_text())
    assert [(each["server"], each["calls"]) for each in kept["measurements"]] == [
        ("reactor", 700),
        ("grpcio_asyncio", 100),
    ]
    assert len(kept["targets"]) == len(TARGETS) + 1


def test_a_record_that_breaks_the_schema_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadResultsError, match="rounds"):
        record.write(tmp_path, Record("2026-01-31T12:00:00Z", {**ASKED, "rounds": 0}, ENVIRONMENT))
    assert not list(tmp_path.iterdir())


def test_targets_are_shown_within_80_columns_and_uncut(capsys: pytest.CaptureFixture[str]) -> None:
    made = a_record()
    tables.show(Console(width=80, file=sys.stdout), made.verdicts(), made.measurements, made.idle)
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert "reactor / thread_per_connection" in shown


def test_a_missing_program_is_one_line_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    assert capsys.readouterr().err == "bench: h2load is not installed: it is in Debian's package nghttp2-client\n"
    assert not list(tmp_path.iterdir())


def test_idle_connections_are_open_on_a_real_service(tmp_path: Path) -> None:
    with servers.serving("reactor", min(os.sched_getaffinity(0)), tmp_path) as server:
        found = idle.measure(server, 20)
    assert (found.server, found.connections) == ("reactor", 20)
    assert found.rss_after_bytes >= found.rss_before_bytes > 0


@pytest.mark.parametrize("client", ["h2load", "driver"])
def test_a_client_measures_a_real_service(client: str, tmp_path: Path) -> None:
    if client == "h2load":
        try:
            servers.h2load()
        except LocalError as error:
            pytest.skip(str(error))
    subject = Subject("reactor", Load(2, 2), client)
    with servers.serving("reactor", min(os.sched_getaffinity(0)), tmp_path) as server:
        found = clients.measure(1, subject, server, Timing(0.2, 0.5), tmp_path)
    assert found.calls > 100
    assert 0 < found.server_busy <= 1.1
