"""Load programs: each gets the point in its own words, and each report becomes the same log."""

import json
import typing
from pathlib import Path

import pytest

from tests.tools.clients import reports
from tools.clients import ghz, h2load, k6
from tools.clients.programs import PROGRAMS
from tools.clients.request import encode
from tools.experiment.experiment import ClientName
from tools.local import LocalError


def test_each_client_that_an_experiment_can_name_is_a_program_or_the_driver() -> None:
    assert set(typing.get_args(ClientName)) == {"driver", *PROGRAMS}


POINT = {
    "h2load": ["--clients=10", "--max-concurrent-streams=4", "--duration=1500ms", "--header=grpc-timeout: 10000m"],
    "ghz": ["--connections=10", "--concurrency=40", "--duration=1500ms", "--timeout=10000ms", "--cpus=1"],
}


@pytest.mark.parametrize("name", POINT)
def test_a_program_gets_the_point_as_flags(name: str, tmp_path: Path) -> None:
    command = PROGRAMS[name].command(reports.run_in(tmp_path))
    assert command[0] == "/bin/program"
    assert [flag for flag in POINT[name] if flag not in command] == []


def test_k6_gets_the_point_as_a_file_for_its_script(tmp_path: Path) -> None:
    k6.command(reports.run_in(tmp_path))
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["connections"], run["streams"], run["duration_ms"], run["timeout_ms"]) == (10, 4, 1500, 10000)
    assert set(run["message"]) == {"payload"}


def test_a_request_is_encoded_as_the_driver_encodes_it() -> None:
    request = encode({"payload_bytes": 2, "steps": [{"compute": {"rounds": 5}}]})
    assert request.frame == b"\0\0\0\0" + bytes([len(request.message)]) + request.message
    assert request.json == {"payload": "AAA=", "steps": [{"compute": {"rounds": 5}}]}


def test_ghz_gets_a_message_after_its_length(tmp_path: Path) -> None:
    """Without it, ghz takes this message for several others: its first byte is the length of a shorter one."""
    run = reports.run_in(tmp_path)
    ghz.command(run)
    assert (tmp_path / "message").read_bytes() == bytes([34]) + run.request.message


def test_a_long_message_has_a_length_of_several_bytes() -> None:
    assert ghz.counted(bytes(300))[:3] == bytes([0xAC, 0x02, 0])


def test_h2load_logs_the_start_of_each_call(tmp_path: Path) -> None:
    lines = reports.h2load(tmp_path, "1000000\t200\t1500\n1000100\t200\t900\n")
    log = h2load.read(reports.run_in(tmp_path), lines)
    assert (log.ended_ns, log.latency_ns) == ([1_001_500_000, 1_001_000_000], [1_500_000, 900_000])
    assert log.reply_bytes == 87


def test_ghz_logs_the_end_of_each_call_and_its_status(tmp_path: Path) -> None:
    reports.ghz(
        tmp_path,
        ("1970-01-01T00:00:01.5Z", 250, "OK"),
        ("1970-01-01T01:00:01.000000007+01:00", 250, "OK"),
        ("1970-01-01T00:00:02Z", 250, "DeadlineExceeded"),
        ("1970-01-01T00:00:02Z", 250, "Canceled"),
    )
    log = ghz.read(reports.run_in(tmp_path), [])
    assert (log.ended_ns, log.latency_ns) == ([1_500_000_000, 1_000_000_007], [250, 250])
    assert log.failed == {"DEADLINE_EXCEEDED": 1, "CANCELLED": 1}
    assert log.first_messages["CANCELLED"] == "no"


def test_k6_logs_the_end_of_each_call_among_other_metrics(tmp_path: Path) -> None:
    reports.k6(tmp_path, "data_sent,5,10,,,,", "grpc_req_duration,1500000000,2.5,,,0,", "grpc_req_duration,5,2.5,,,8,")
    log = k6.read(reports.run_in(tmp_path), [])
    assert (log.ended_ns, log.latency_ns, log.failed) == ([1_500_000_000], [2_500_000], {"RESOURCE_EXHAUSTED": 1})


def test_calls_that_h2load_counts_as_failed_are_failures(tmp_path: Path) -> None:
    log = h2load.read(reports.run_in(tmp_path), reports.h2load(tmp_path, "1\t200\t2\n3\t-1\t2\n", failed=1))
    assert (len(log.ended_ns), log.failed) == (1, {"UNAVAILABLE": 1})


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (lambda _: ["unknown option"], "h2load printed no report that can be parsed"),
        (
            lambda folder: reports.h2load(folder, "", rejected=730),
            "h2load received HTTP errors: status codes: .* 730 4xx",
        ),
        (lambda folder: reports.h2load(folder, "no\tnumber\n"), "h2load wrote a log that cannot be parsed"),
    ],
    ids=["another output", "errors of HTTP", "another log"],
)
def test_a_report_of_h2load_that_cannot_be_read_is_one_line(
    lines: typing.Callable[[Path], list[str]], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(LocalError, match=complaint):
        h2load.read(reports.run_in(tmp_path), lines(tmp_path))


@pytest.mark.parametrize("name", ["ghz", "k6"])
@pytest.mark.parametrize("content", [None, "", "{}\n{}", '{"details": [{}]}', "metric_name\ngrpc_req_duration\n"])
def test_a_report_that_is_missing_or_has_another_form_is_one_line(
    name: str, content: str | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / {"ghz": "out.json", "k6": "calls.csv"}[name]).write_text(content)
    with pytest.raises(LocalError, match=f"{name} wrote no report that can be parsed"):
        PROGRAMS[name].read(reports.run_in(tmp_path), [])
