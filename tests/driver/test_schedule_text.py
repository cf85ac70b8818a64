from pathlib import Path

import pytest

from services.driver.schedule import NS_PER_S, Arrival, intended_sends
from services.driver.schedule_text import ScheduleError, read_schedule


def arrivals(text: str, until_s: float, arrival: Arrival = "constant") -> list[float]:
    """When calls are due. Seconds."""
    sends = intended_sends(read_schedule(text), arrival, 1, 0, round(until_s * NS_PER_S))
    return [each / NS_PER_S for each in sends]


@pytest.mark.parametrize("text", ["steps:100@0.3s,0@0.2s,300@0.5s", "ramp:100-400@10s", "burst:50+500@0.1s/1s"])
def test_parts_that_go_on_with_a_schedule_are_the_whole_of_it(text: str) -> None:
    schedule, part_ns = read_schedule(text), 350_000_000
    parts = [
        each
        for into_ns in range(0, 40 * part_ns, part_ns)
        for each in intended_sends(schedule, "constant", 1, into_ns, into_ns + part_ns, into_ns=into_ns)
    ]
    whole = list(intended_sends(schedule, "constant", 1, 0, 40 * part_ns))
    assert parts == whole


@pytest.mark.parametrize(("begin_s", "calls"), [(0, 110), (9, 390), (19, 390)])
def test_a_poisson_process_goes_on_at_the_rate_that_the_schedule_has_by_then(begin_s: int, calls: int) -> None:
    ramp = read_schedule("ramp:100-400@10s")
    into_ns = begin_s * NS_PER_S
    sends = list(intended_sends(ramp, "poisson", 1, 7, 7 + NS_PER_S, into_ns=into_ns))
    assert 7 <= sends[0] < sends[-1] < 7 + NS_PER_S
    assert len(sends) == pytest.approx(calls, abs=4 * calls**0.5)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        # Of each stretch from, to and calls.
        ("steps:100@2s,200@2s", [(0, 2, 200), (2, 4, 400), (4, 6, 200), (6, 8, 400)]),
        ("steps:100@1s,0@1s,300@0.5s", [(0, 1, 100), (1, 2, 0), (2, 2.5, 150), (2.5, 3.5, 100)]),
        ("steps:0.5@4s", [(0, 4, 2), (4, 8, 2)]),
        ("ramp:100-400@10s", [(0, 10, 2500), (0, 5, 875), (5, 10, 1625), (10, 20, 2500)]),
        ("ramp:400-0@4s", [(0, 2, 600), (2, 4, 200), (4, 6, 600)]),
        ("ramp:0-100@2s", [(0, 1, 25), (1, 2, 75)]),
        ("burst:50+500@0.1s/1s", [(0, 0.1, 50), (0.1, 1, 45), (1, 1.1, 50), (1.1, 2, 45), (9, 9.1, 50)]),
        ("burst:0+1000@0.01s/0.5s", [(0, 0.01, 10), (0.01, 0.5, 0), (0.5, 0.51, 10)]),
    ],
)
@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_each_stretch_has_the_arrivals_that_its_rate_gives(
    text: str, counted: list[tuple[float, float, int]], arrival: Arrival
) -> None:
    due = arrivals(text, 20, arrival)
    assert due == sorted(due)
    for begin_s, end_s, calls in counted:
        # Four standard deviations of a Poisson count; a constant rate is exact but for where the stretch begins.
        slack = 1 if arrival == "constant" or not calls else 4 * calls**0.5
        assert sum(begin_s <= each < end_s for each in due) == pytest.approx(calls, abs=slack if calls else 0)


def test_a_ramp_sends_as_often_as_its_rate_is_at_that_time() -> None:
    due = arrivals("ramp:100-400@10s", 10)
    assert 1 / (due[1] - due[0]) == pytest.approx(100, rel=0.02)
    assert 1 / (due[-1] - due[-2]) == pytest.approx(400, rel=0.02)


def test_a_run_that_ends_within_a_pause_sends_nothing_more() -> None:
    assert arrivals("steps:2@1s,0@3600s", 10) == [0, 0.5]


def test_recorded_times_are_replayed_and_repeated_with_their_mean_gap(tmp_path: Path) -> None:
    (tmp_path / "times").write_text("0.5\n0.75\n1.5\n")
    assert arrivals(f"replay:{tmp_path}/times", 4) == [0.5, 0.75, 1.5, 2, 2.25, 3, 3.5, 3.75]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "steps:100@2s"),
        ("waves:1@2s", "'waves:1@2s' is not one of"),
        ("steps:", "''"),
        ("steps:100@2", "'100@2'"),
        ("steps:100@2s,", "''"),
        ("steps:-1@2s", "'-1@2s'"),
        ("steps:0@2s", "sends no calls"),
        ("steps:100@0s", "0 s"),
        ("steps:2000000@1s", "2,000,000"),
        ("ramp:0-0@1s", "sends no calls"),
        ("ramp:100@2s", "100-400@10s"),
        ("burst:50+500@1s/1s", "not shorter"),
        ("burst:50+500@1s", "50+500@0.1s/1s"),
        ("replay:/missing/times", "/missing/times: No such file"),
    ],
)
def test_what_is_no_schedule_is_named_in_one_line(text: str, named: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        read_schedule(text)
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"0\nsoon\n", "times: line 2: 'soon'"),
        (b"0\n1\n1\n", "times: line 3: 1 is not above 1"),
        (b"-1\n1\n", "times: line 1"),
        (b"0\nnan\n", "times: line 2"),
        (b"0\n\n1\n", "times: line 2: ''"),
        (b"7\n", "times: 1 lines"),
        (b"", "times: 0 lines"),
        (b"\xff\xfe\xfa", "times: not a text"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_named_with_its_line(tmp_path: Path, content: bytes, named: str) -> None:
    (tmp_path / "times").write_bytes(content)
    with pytest.raises(ScheduleError) as refusal:
        read_schedule(f"replay:{tmp_path}/times")
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)
