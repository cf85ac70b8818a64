"""A map of which model serves most: its areas, its words, and the command as a user sees it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools import sample
from tests.tools.fake_programs import GOOD, PROGRAMS
from tools import bundle, cli
from tools.experiment import Objective
from tools.maps import map_file
from tools.maps.areas import Area, areas
from tools.maps.headline import headline, text_of
from tools.maps.map_file import Map
from tools.maps.question import MapKind, Question, experiment_of
from tools.maps.relevance import nearest, worth
from tools.rounds import RoundCost
from tools.size.cost import Cost
from tools.size.map_filter import worth_a_search
from tools.size.need import Need

SHORT, LONG = MapKind(0.1, 0), MapKind(1, 50)
MODELS = ("coroutines", "thread_pool", "grpcio_threads", "grpcio_asyncio")


def area(kind: MapKind = SHORT, connections: int = 100, best: int = 1, **rates_rps: float) -> Area:
    """An area where the first `best` models serve most."""
    return Area(kind, connections, rates_rps, tuple(rates_rps)[:best], {})


def test_an_area_has_the_best_and_what_is_as_good_for_a_person_who_chooses(tmp_path: Path) -> None:
    """In this sample thread_pool serves 90 % of thread_per_connection at 10 connections."""
    question = Question(("reactor", "coroutines", "grpcio_threads"), (0.1,), (0.0,), (10, 1000))
    (tmp_path / SHORT.key / "trials").mkdir(parents=True)
    sample.make(tmp_path / SHORT.key, models=question.models, counts=question.connections, rounds=3)
    few, many = areas(tmp_path, question)
    assert (few.kind, few.connections, many.connections) == (SHORT, 10, 1000)
    assert next(iter(few.rates_rps)) == "reactor"
    assert few.best == tuple(model for model, rate in few.rates_rps.items() if rate >= 0.9 * few.best_rps)
    assert "grpcio_threads" not in few.best


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (area(coroutines=2312.0, thread_pool=900.0), "coroutines: 2,310"),
        (area(coroutines=2312.0, thread_pool=2300.0, best=2), "tie: 2,310"),
        (area(coroutines=2312.0, thread_pool=2300.0, seda=2.0, best=2), "coroutines, thread_pool: 2,310"),
        (area(coroutines=9, thread_pool=9, seda=9, reactor=1, best=3), "all but reactor: 9"),
        (area(coroutines=9, thread_pool=9, seda=9, reactor=1, proactor=1, best=3), "coroutines and 2 more: 9"),
        (Area(SHORT, 1, {}, (), {"coroutines": "start-up"}), "none is ranked"),
        (None, "not measured"),
    ],
)
def test_an_area_is_named_by_its_best(found: Area | None, text: str) -> None:
    assert text_of(found) == text


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "Nothing has been measured yet, so there is no map."),
        ([area(coroutines=9.0, thread_pool=9.0, best=2)], "All models tie in every area."),
        (
            [area(coroutines=9.0, seda=1.0), area(LONG, coroutines=9.0, seda=9.0, best=2)],
            "coroutines serves most, or as much as the best, in 1 of 2 areas. Never: seda. "
            "1 area is a tie of all models.",
        ),
        (
            [
                area(coroutines=9.0, seda=1.0),
                area(LONG, seda=9.0, coroutines=1.0),
                area(LONG, 5, seda=9.0, reactor=1.0),
            ],
            "seda serves most, or as much as the best, in 2 of 3 areas; coroutines in 1.",
        ),
    ],
)
def test_the_headline_counts_the_areas_of_each_model(found: list[Area], said: str) -> None:
    assert headline(found, "") == said


def test_a_map_of_a_busy_machine_has_the_reason_in_its_headline() -> None:
    assert headline([], "other processes took 70 % of the CPU") == (
        "No map: every trial is void. The first one: other processes took 70 % of the CPU."
    )


def test_all_kinds_of_calls_become_closed_loops_of_all_models() -> None:
    question = Question(MODELS, (1.0, 0.0), (5.0, 0.0), (1000, 10))
    assert [kind.key for kind in question.kinds] == [
        "cpu-0ms-wait-0ms",
        "cpu-0ms-wait-5ms",
        "cpu-1ms-wait-0ms",
        "cpu-1ms-wait-5ms",
    ]
    asked = experiment_of(question, MapKind(1.0, 5.0))
    assert asked.title == "Which model serves most calls of 1 ms of CPU and 5 ms of wait, with 10 or 1,000 connections?"
    assert asked.plan["steps"] == [
        {"compute": {"cpu_us": 1000, "engine": "ENGINE_PYTHON"}},
        {"call": {"delay_us": 5000, "reply_bytes": 128}},
    ]
    assert experiment_of(question, MapKind(0, 0)).plan == {}
    assert [point.connections for point in asked.points] == [10, 1000]
    assert asked.at(asked.points[1]).duration_s > asked.at(asked.points[0]).duration_s


@pytest.mark.parametrize(
    ("cpu_ms", "wait_ms", "connections", "found"),
    [
        (0.3, 20, 200, LONG),
        (0.1, 0.01, 90, SHORT),
        (0.0, 0.0, 90, SHORT),
        (30, 50, 100, None),  # 30 times the CPU of the nearest
        (1, 50, 10, None),
    ],
)
def test_a_question_is_answered_by_the_area_that_is_most_like_it(
    cpu_ms: float, wait_ms: float, connections: int, found: MapKind | None
) -> None:
    there = [area(SHORT, coroutines=9.0), area(LONG, coroutines=9.0)]
    nearest_area = nearest(there, cpu_ms, wait_ms, connections)
    assert (nearest_area and nearest_area.kind) == found


def test_models_that_serve_less_than_half_need_no_search_but_the_best_of_grpcio_has_one() -> None:
    there = area(
        coroutines=900.0, half_sync_half_async=460.0, thread_pool=300.0, grpcio_threads=200.0, grpcio_asyncio=9
    )
    found = worth(
        there, ("thread_pool", "half_sync_half_async", "coroutines", "grpcio_threads", "grpcio_asyncio", "new")
    )
    assert found.left_out == ("thread_pool", "grpcio_asyncio")
    assert found.models == ("half_sync_half_async", "coroutines", "grpcio_threads", "new")


def test_size_searches_what_a_map_of_this_machine_shows_to_be_worth_it(tmp_path: Path) -> None:
    """In this sample grpcio_threads and grpcio_asyncio serve less than half of reactor."""
    models = ("reactor", "grpcio_threads", "grpcio_asyncio")
    here = {"cpu": "x", "cpus": 2, "kernel": "y", "python": "z"}
    folder = tmp_path / "map-20260131T120000Z"
    question = Question(models, (0.1,), (0.0,), (100,))
    (folder / SHORT.key / "trials").mkdir(parents=True)
    map_file.write(folder, Map(question=question, environment=here, rounds=RoundCost(96, 97, 98)))
    sample.make(folder / SHORT.key, models=models, counts=(100,), rounds=3)
    need = Need(Cost(0.1, 0), connections=100, rate_rps=100, objective=Objective(), spare=0.3)
    assert worth_a_search(need, models, tmp_path, here) == (
        ("reactor", "grpcio_asyncio"),
        "Not searched: grpcio_threads. At 0.1 ms of CPU and no wait and 100 connections, less than half of the best "
        f"({folder}). ",
    )
    for other in (replace(need, connections=1000), replace(need, threads_per_cpu=8)):
        assert worth_a_search(other, models, tmp_path, here) == (models, "")
    assert worth_a_search(need, models, tmp_path, {**here, "cpus": 16}) == (models, "")


def test_the_command_measures_what_is_missing_and_shows_the_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["map", "--cpu-ms", "0", "--wait-ms", "0,5", "--connections", "5", "--models", GOOD]
    command = [*flags, "--results", str(tmp_path)]
    assert cli.main(command, PROGRAMS) == 0
    (folder,) = tmp_path.iterdir()
    out = capsys.readouterr().out
    assert out.startswith("6 trials, about ")
    assert str(folder / "report.html") in out.splitlines()
    assert cli.main(command, PROGRAMS) == 0
    assert capsys.readouterr().out.startswith("0 trials, about 0 s; map: ")
    assert cli.main([*command, "--again"], PROGRAMS) == 0
    assert capsys.readouterr().out.startswith("6 trials, about ")


def test_a_map_is_verified_run_by_run_and_then_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = Question(MODELS, (0.1,), (0.0,), (10,))
    map_file.write(tmp_path, Map(question=question, environment={}, rounds=RoundCost(96, 97, 98)))
    assert cli.main(["report", str(tmp_path)]) == 0
    assert "Nothing has been measured yet, so there is no map." in capsys.readouterr().out
    assert cli.main(["verify", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "0 runs, all numbers recomputed: unchanged\n"
    (tmp_path / "report.html").write_text("another")
    assert cli.main(["verify", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("report.html differs from these runs: ")
    (tmp_path / SHORT.key / "trials").mkdir(parents=True)
    sample.make(tmp_path / SHORT.key, models=MODELS[:1], counts=(10,))
    bundle.close(tmp_path / SHORT.key, 1)
    next((tmp_path / SHORT.key / "trials").glob("*.json")).unlink()
    assert cli.main(["verify", str(tmp_path)]) == 1
    assert "cpu-0.1ms-wait-0ms/trials/" in capsys.readouterr().out
    (tmp_path / "map.json").write_text("{}")
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "map.json: not what `sweetspot map` writes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--cpu-ms", "-1"), "'-1' is not a number within 0 to"),
        (("--connections", "0"), "'0' is not a number within 1 to"),
        (("--models", "nosuch"), "unknown model 'nosuch'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], why: str
) -> None:
    try:
        status = cli.main(["map", *flags, "--results", str(tmp_path / "results")], PROGRAMS)
    except SystemExit as ended:  # argparse
        status = int(str(ended.code))
    assert status == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
