"""Curves run along the axis with the most values, and no point hides another."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tools import sample
from tools import report
from tools.experiment import Load, Point, points
from tools.report.axes import along, groups
from tools.results import TrialId, write_trial, write_void


@pytest.mark.parametrize(
    ("load", "axis", "labels"),
    [
        (Load(connections=(10,), streams=(1,)), None, [""]),
        (Load(connections=(1, 10), streams=(1,)), "connections", [""]),
        (Load(connections=(10,), rate_rps=(100, 200)), "rate_rps", [""]),
        (Load(connections=(10,), streams=(1,), idle=(0, 100)), "idle", [""]),
        (Load(connections=(1, 10), rate_rps=(100, 200, 400)), "rate_rps", ["1 conn.", "10 conn."]),
        (Load(connections=(1, 10), streams=(1, 2)), "connections", ["1 at a time", "2 at a time"]),
        (
            Load(connections=(1, 10), rate_of_capacity=(0.5, 0.8, 1.2), idle=(0, 100)),
            "rate_of_capacity",
            ["1 conn., 0 idle", "1 conn., 100 idle", "10 conn., 0 idle", "10 conn., 100 idle"],
        ),
    ],
    ids=["one point", "connections", "rates", "idle", "two axes", "as many values of each", "three axes"],
)
def test_curves_run_along_the_axis_with_the_most_values(load: Load, axis: str | None, labels: list[str]) -> None:
    asked = points(load)
    found = groups(asked)
    assert along(asked) == axis
    assert [group.label for group in found] == labels
    assert sorted(point.name for group in found for point in group.points) == sorted(point.name for point in asked)


def folder_at(folder: Path, asked: Sequence[Point], *, rounds: int = 1) -> Path:
    """Two models at each of those points; a later point is faster."""
    for number, point in enumerate(asked, 1):
        for model in ("reactor", "thread_pool"):
            for of_round in range(1, rounds + 1):
                got = {"rate_rps": 1000.0 * number, "answered": 4000 * number}
                write_trial(folder, sample.at(point, sample.trial(model, point.connections, of_round, got=got)))
    return folder


def line_of(page: str, arm: str, figure: str) -> str:
    """The curve of an arm in the first view of a figure."""
    plot = page[page.index(f'<figure id="{figure}">') :]
    return plot[plot.index(f'data-arm="{arm}">') :].partition("</g>")[0]


def test_points_with_the_same_connections_are_points_of_one_curve(tmp_path: Path) -> None:
    asked = points(Load(connections=(10,), rate_rps=(100.0, 200.0, 400.0)))
    page = report.write(folder_at(tmp_path, asked)).read_text(encoding="utf-8")
    numbers = re.findall(r'class="number[^>]*>(.*?)<', line_of(page, "reactor", "throughput"))
    assert numbers == ["1,000", "2,000", "3,000"]
    assert "Over the rate asked" in page
    assert "calls/s asked</text>" in page
    assert "connections</text>" not in page


def test_a_wide_axis_with_0_gives_every_point_a_place(tmp_path: Path) -> None:
    asked = points(Load(connections=(10,), streams=(1,), idle=(0, 10, 100, 1000)))
    line = line_of(report.write(folder_at(tmp_path, asked)).read_text(encoding="utf-8"), "reactor", "throughput")
    places = [float(place) for place in re.findall(r'<circle cx="(.*?)%"', line)]
    assert places == pytest.approx([0, 34.7, 66.8, 100], abs=0.1)


def test_each_value_of_a_second_axis_has_curves_of_its_own(tmp_path: Path) -> None:
    asked = points(Load(connections=(10, 100, 1000), streams=(1, 4)))
    page = report.write(folder_at(tmp_path, asked)).read_text(encoding="utf-8")
    assert re.findall(r'name="at" value="(.*?)".*?<span>(.*?)</span>', page) == [
        ("at-0", "1 at a time"), ("at-1", "4 at a time"),
    ]  # fmt: skip
    for figure, rates in {
        "throughput": ["1,000", "3,000", "5,000"],
        "throughput-at1": ["2,000", "4,000", "6,000"],
    }.items():
        assert re.findall(r'class="number[^>]*>(.*?)<', line_of(page, "reactor", figure)) == rates
    ids = re.findall(r' id="(.*?)"', page)
    assert len(ids) == len(set(ids))


def test_one_point_has_no_curves_along_an_axis(tmp_path: Path) -> None:
    page = report.write(folder_at(tmp_path, points(Load(connections=(10,), rate_rps=(100.0,))))).read_text(
        encoding="utf-8"
    )
    assert re.findall(r'<figure id="(.*?)"', page) == ["distribution"]
    assert "More at 10 connections, 100 calls/s" in page


def test_a_rate_has_its_interval_in_the_curve(tmp_path: Path) -> None:
    folder = sample.make(tmp_path, models=["reactor", "thread_pool"], rounds=3)
    line = line_of(report.write(folder).read_text(encoding="utf-8"), "reactor", "throughput")
    assert line.count('class="interval"') == len(sample.CONNECTIONS)


def test_an_arm_that_serves_fewer_clients_has_no_rate_in_the_curve(tmp_path: Path) -> None:
    folder = sample.make(tmp_path, models=["reactor", "thread_pool"], counts=[10, 100])
    away = sample.trial("reactor", 100, got={"rate_rps": 9e4}, clients=sample.clients(100, 1, 1000))
    write_trial(folder, away)
    line = line_of(report.write(folder).read_text(encoding="utf-8"), "reactor", "throughput")
    assert line.count("<circle") == 1


def test_what_is_void_is_named_with_its_point(tmp_path: Path) -> None:
    asked = points(Load(connections=(10,), rate_rps=(100.0, 200.0)))
    folder = folder_at(tmp_path, asked)
    write_void(folder, TrialId("reactor", asked[1].name), "the driver was busy")
    assert "reactor at 10 connections, 200 calls/s, round 1: void: the driver was busy." in report.write(
        folder
    ).read_text(encoding="utf-8")
