"""From what one pod serves to how many pods are needed, and the command as a user sees it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.models import MODELS
from services.runtime import workers
from services.runtime.options import ENV_PREFIX
from services.workload.plan import MAX_VALUES
from tests.tools.fake_programs import GOOD, PROGRAMS
from tests.tools.scale import sample
from tools import cli, rounds
from tools.checks import void
from tools.experiment import Objective
from tools.results import Trial
from tools.rounds import RoundCost, drift
from tools.scale.cells import Cell, SearchedCell, cells
from tools.scale.results import read_cells
from tools.scale.run import run
from tools.serving import OPTION_PREFIX
from tools.size.answer import advice, answer
from tools.size.confirmation import confirmed
from tools.size.cost import MOST_WAIT_MS, Cost
from tools.size.grid import AWAITING, CONFIRM_S, asked, confirming
from tools.size.grid import MODELS as SIZED
from tools.size.need import THREADS_PER_CPU, Need
from tools.size.notes import notes
from tools.size.price import Price
from tools.size.shapes import POOLS, JudgedTrial, PodShape, shapes
from tools.size.size_question import SizeQuestion
from tools.size.split import divided
from tools.status import PlainError

NEED = Need(Cost(0.3, 20), connections=200, rate_rps=1500, objective=Objective(p99_ms=100), spare=0.3)
STARTS = 2


def searched(folder: Path, **of_model: float | tuple[float, float]) -> list[SearchedCell]:
    """Model -> what a pod of it serves, calls/s: in both starts, or in each."""
    question = asked(NEED, lambda _: 2400, list(of_model), [1.0], starts=STARTS, highest_rps=8000)

    def capacity(cell: Cell) -> float:
        rates = of_model[cell.model]
        return rates if isinstance(rates, float | int) else rates[int(cell.plan[-1]) - 1]

    notes = sample.Notes()
    run(question, cells(question, list(of_model)), sample.Deployer(capacity), folder, notes)
    return [one for one in notes.outcomes if isinstance(one, SearchedCell)]


def by_model(found: list[PodShape]) -> Mapping[str, PodShape]:
    return {one.model: one for one in found}


def test_pods_are_the_rate_over_what_every_start_served_less_what_is_to_spare(tmp_path: Path) -> None:
    (one,) = shapes(NEED, searched(tmp_path, coroutines=(1200.0, 2000.0)))
    assert 1200 / 1.1 <= one.lowest_rps <= 1200
    assert 2000 / 1.1 <= one.highest_rps <= 2000
    assert (one.pods, one.starts) == (2, STARTS)  # 1,500 / (0.7 x 1,091 to 1,200)
    assert dataclasses.replace(one, pods=4, cpus=0.5).total_cpus == 2


def test_the_fewest_cpus_come_first_and_a_model_that_never_meets_the_objective_last(tmp_path: Path) -> None:
    found = shapes(NEED, searched(tmp_path, thread_pool=790.0, seda=0.5, coroutines=2500.0))
    assert [one.model for one in found] == ["coroutines", "thread_pool", "seda"]
    assert found[-1].pods == 0
    assert found[-1].bound.startswith("misses at ")


def test_the_bound_of_a_pool_is_its_threads_where_the_cpu_is_not_used_up(tmp_path: Path) -> None:
    """By Little's law 16 threads serve at most 16 / 20.3 ms = 788 calls/s."""
    found = searched(tmp_path, thread_pool=780.0, coroutines=780.0)
    idle = [
        dataclasses.replace(one, tries=tuple(dataclasses.replace(each, trial=_idle(each.trial)) for each in one.tries))
        for one in found
    ]
    assert {name: one.bound for name, one in by_model(shapes(NEED, found)).items()} == dict.fromkeys(
        ("thread_pool", "coroutines"), "CPU"
    )
    assert {name: one.bound for name, one in by_model(shapes(NEED, idle)).items()} == {
        "thread_pool": "16 threads",
        "coroutines": "not known",
    }


def _idle(trial: Trial) -> Trial:
    """The same where the service used a tenth of its CPU."""
    after = type(trial.after)()
    after.CopyFrom(trial.after)
    after.cpu_user_ns //= 10
    after.throttling.throttled_periods = 0
    return dataclasses.replace(trial, after=after)


def test_a_start_whose_misses_a_busy_machine_explains_does_not_count(tmp_path: Path) -> None:
    first, second = searched(tmp_path, coroutines=(1200.0, 2000.0))
    busy = dataclasses.replace(
        first,
        tries=tuple(
            dataclasses.replace(each, trial=dataclasses.replace(each.trial, others_share=0.5)) for each in first.tries
        ),
    )
    (one,) = shapes(NEED, [busy, second])
    assert (one.starts, one.lowest_rps) == (1, one.highest_rps)
    (void,) = shapes(NEED, [busy])
    assert (void.pods, void.bound) == (0, "void: other processes took 50 % of the service's CPUs")


def shape(model: str, pods: int, cpu_ns: float = 5e5) -> PodShape:
    return PodShape(model, 1.0, 2, pods, 900.0, 1000.0, 4e7, cpu_ns, 0.8, (), "CPU")


RESERVE = " So they meet p99<100ms, errors<0.1% at 1,500 calls/s, with 30 % in reserve."


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [shape("coroutines", 2), shape("grpcio_asyncio", 3), shape("grpcio_threads", 4)],
            "The fewest CPUs: coroutines, 2 pods of 1 CPU. "
            "To deploy today, with grpcio: grpcio_asyncio, 3 pods of 1 CPU." + RESERVE,
        ),
        (
            [shape("coroutines", 2), shape("thread_pool", 3), shape("grpcio_threads", 3), shape("grpcio_asyncio", 3)],
            "The fewest CPUs: coroutines, 2 pods of 1 CPU. "
            "To deploy today, with grpcio: grpcio_threads or grpcio_asyncio, 3 pods of 1 CPU." + RESERVE,
        ),
        (
            [shape("coroutines", 1), shape("grpcio_asyncio", 1), shape("thread_pool", 2)],
            "The fewest CPUs: coroutines or grpcio_asyncio, 1 pod of 1 CPU." + RESERVE,
        ),
        ([shape("coroutines", 2)], "The fewest CPUs: coroutines, 2 pods of 1 CPU." + RESERVE),
        (
            [shape("coroutines", 1), dataclasses.replace(shape("seda", 2), cpus=0.5)],
            "The fewest CPUs: coroutines, 1 pod of 1 CPU." + RESERVE,
        ),
        ([shape("coroutines", 0)], "No model meets p99<100ms, errors<0.1%. The table has the reasons."),
        ([], "Nothing has been measured yet, so there is no advice."),
        (
            [dataclasses.replace(shape("coroutines", 0), starts=0, bound="void: other processes took 50 %")],
            "No advice: every search is void: other processes took 50 %.",
        ),
    ],
    ids=[
        "of this project and of grpcio",
        "two of grpcio",
        "both the same",
        "no grpcio",
        "as many CPUs in other pods",
        "none",
        "interrupted",
        "void",
    ],
)
def test_the_advice_has_the_least_and_what_grpcio_needs(found: list[PodShape], said: str) -> None:
    assert advice(NEED, found) == said


def test_the_advice_has_the_price_of_a_million_calls() -> None:
    """2 CPUs for 1e6 / 1,500 seconds at 0.04 EUR for 3,600 CPU seconds."""
    need = dataclasses.replace(NEED, price=Price(0.04, "EUR"))
    assert advice(need, [shape("coroutines", 2)]).startswith(
        "The fewest CPUs: coroutines, 2 pods of 1 CPU (0.015 EUR for a million calls)."
    )


@pytest.mark.parametrize(
    ("pods", "asked_for", "capacity", "text"),
    [
        (1, (750, 100), 800.0, "coroutines as 2 pods of 1 CPU: confirmed: 750 calls/s for 2 s, p99 5 ms, "),
        (2, (1500, 200), 1600.0, " 2 pods serve what one pod promises."),
        (1, (750, 100), 700.0, "coroutines as 2 pods of 1 CPU: does not meet the objective: p99 900 ms; 750 calls/s"),
    ],
    ids=["one pod gets its share", "all pods get all of it", "missed"],
)
def test_a_shape_is_confirmed_by_one_long_trial_at_its_rate(
    tmp_path: Path, pods: int, asked_for: tuple[int, int], capacity: float, text: str
) -> None:
    chosen, (rate_rps, connections) = shape("coroutines", 2), asked_for
    question = confirming(
        asked(NEED, lambda _: 2400, ["coroutines", "seda"], [0.5, 1.0], starts=2, highest_rps=8000),
        NEED,
        chosen,
        pods=pods,
    )
    assert (question.duration_s, question.load.connections) == (CONFIRM_S, (connections,))
    notes = sample.Notes()
    run(question, cells(question, question.models), sample.Deployer(lambda _cell: capacity), tmp_path, notes)
    (one,) = read_cells(tmp_path).searched
    assert [round(each.rate_rps) for each in one.tries] == [rate_rps]
    found = confirmed(chosen, read_cells(tmp_path))
    assert text in found.text
    assert found.met == (capacity > rate_rps)


def test_a_report_and_a_run_that_continues_give_the_sizes_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    flags = ["--cpu-ms", "0.01", "--rate", "50", "--slo", "p99<50ms", "--models", GOOD, "--starts", "1"]
    assert cli.main(["size", *flags, "--results", str(results)], PROGRAMS) == 0
    first = _after_advice(capsys.readouterr().out)
    (folder,) = results.iterdir()
    assert f"The fewest CPUs: {GOOD}, " in (folder / "report.html").read_text()
    for command in (["report"], ["run", "--resume"]):
        assert cli.main([*command, str(folder)], PROGRAMS) == 0
        assert _after_advice(capsys.readouterr().out)[:5] == first[:5]


def _after_advice(out: str) -> list[str]:
    lines = out.splitlines()
    return lines[next(place for place, line in enumerate(lines) if line.startswith("The fewest CPUs: ")) :]


def test_a_limit_that_was_not_measured_has_an_estimate_that_is_marked(tmp_path: Path) -> None:
    question = asked(NEED, lambda _: 2400, ["coroutines"], [0.5, 1.0, 4.0], starts=1, highest_rps=8000)
    notes = sample.Notes()
    run(question, cells(question, ["coroutines"]), sample.Deployer(lambda cell: 1200 * cell.cpus), tmp_path, notes)
    found = answer(SizeQuestion(NEED, ("coroutines",), "measured here"), read_cells(tmp_path))
    assert {row[1] for row in found.rows[:2]} == {"2 x 1", "4 x 0.5"}
    assert found.rows[-1][1] == "~2 x 4"
    assert found.rows[-1][-1] == "estimate"
    notes_text = "\n".join(found.notes)
    assert "Not measured with 4 CPUs: coroutines: needs 4 CPUs." in notes_text
    assert "coroutines with 1 CPU: estimated ~" in notes_text
    assert "measured here" in notes_text


def test_the_notes_have_the_evidence_for_a_shape_and_what_lifts_a_bound(tmp_path: Path) -> None:
    """Trials at 750 calls/s for each of 2 pods or above that met, and misses at or below what every start served."""
    tried = (
        JudgedTrial(400, False),
        JudgedTrial(400, True),
        JudgedTrial(800, True),
        JudgedTrial(1600, False),
        JudgedTrial(900, True),
    )
    one = dataclasses.replace(shape("coroutines", 2), trials=tried)
    pool = dataclasses.replace(shape("thread_pool", 3), bound="16 threads")
    lines = notes(SizeQuestion(NEED, ("coroutines",), "measured here"), [one, pool], [one], [], [])
    assert lines[:2] == [
        "coroutines as 2 pods of 1 CPU: 2 of 3 trials met the objective at 750 calls/s for a pod, or above "
        "(9.43 % to 99.2 %). With 1 pod fewer, each gets 167 % of what the slowest start served.",
        "16 threads: a call holds a thread for all of its time; --threads-per-cpu gives a pod more of them.",
    ]


def test_the_cpu_time_of_a_call_is_divided_and_the_parts_add_up() -> None:
    """0.5 ms, of which a fifth is in the kernel. The wire of gRPC's core is not measured apart."""
    assert divided(NEED, shape("coroutines", 2), 7e3) == (
        "coroutines: 500 µs = 300 µs your code + 7 µs wire + 100 µs kernel + 93 µs model"
    )
    assert divided(NEED, shape("grpcio_asyncio", 2), 7e3) == (
        "grpcio_asyncio: 500 µs = 300 µs your code + 100 µs kernel + 100 µs model and wire"
    )
    assert divided(NEED, dataclasses.replace(shape("seda", 2), cpu_ns=None), 7e3) == ""


def test_an_async_function_is_sized_only_in_models_that_await_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "async_shop.py").write_text("async def quote(): return 1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    command = ["size", "--step", "async_shop:quote", "--rate", "50", "--slo", "p99<50ms", "--models", GOOD]
    assert cli.main([*command, "--results", str(tmp_path / "results")], PROGRAMS) == 2
    assert capsys.readouterr().err == (
        f"sweetspot: --step async_shop:quote is async, and {GOOD} cannot await it: set --models to some of "
        "coroutines, grpcio_asyncio\n"
    )
    assert not (tmp_path / "results").exists()


def test_a_quota_that_stops_the_service_does_not_make_a_search_void(tmp_path: Path) -> None:
    """A limit of half a CPU is what is asked about: at each rate that misses, the quota stops the pod."""
    question = asked(NEED, lambda _: 2400, ["coroutines"], [0.5], starts=1, highest_rps=8000)
    notes = sample.Notes()
    run(question, cells(question, ["coroutines"]), sample.Deployer(lambda _cell: 600), tmp_path, notes)
    (one,) = read_cells(tmp_path).searched
    stopped = dataclasses.replace(
        one, tries=tuple(dataclasses.replace(each, trial=_stopped(each.trial)) for each in one.tries)
    )
    assert void(stopped.tries[-1].trial) == "the CPU quota throttled the service for 500 ms"
    assert shapes(NEED, [stopped])[0].pods == 4


def _stopped(trial: Trial) -> Trial:
    after = type(trial.after)()
    after.CopyFrom(trial.after)
    after.throttling.throttled_ns = trial.before.throttling.throttled_ns + 500_000_000
    return dataclasses.replace(trial, after=after)


@pytest.mark.parametrize(("cpu_ms", "least_s"), [(0.3, 1.0), (10.0, 7.0)])
def test_a_trial_lasts_until_a_fifth_of_what_a_pod_serves_has_a_p99(cpu_ms: float, least_s: float) -> None:
    """A p99 needs 140 calls; a pod serves at most 100 calls/s of 10 ms each."""
    need = dataclasses.replace(NEED, cost=Cost(cpu_ms, 20))
    assert asked(need, lambda _: 1, ["coroutines"], [1.0], starts=1, highest_rps=8000).duration_s == pytest.approx(
        least_s, rel=0.01
    )


def test_only_models_with_a_pool_get_the_size_of_the_pool() -> None:
    need = dataclasses.replace(NEED, threads_per_cpu=64)
    question = asked(need, lambda _: 1, ["thread_pool", "coroutines"], [1.0], starts=1, highest_rps=8000)
    services = [cell.service for cell in cells(question, ["thread_pool", "coroutines"])]
    assert services == ["thread_pool threads_per_cpu=64", "coroutines"]


def test_cpu_time_is_rounds_of_this_machine() -> None:
    here = RoundCost(low_ns=96, middle_ns=125, high_ns=153)
    assert here.of(0.3) == 3125
    assert str(here) == "96 ns a round (median 125, up to 153)"
    with pytest.raises(PlainError, match=r"2000 ms of CPU are too long for one step: .* at most 960 ms here"):
        here.of(2000)


@pytest.mark.parametrize(
    ("after_ns", "said"),
    [
        (100, ""),
        (164, " The machine became 70.8 % slower: ask again."),
        (72, " The machine became 25 % faster: ask again."),
    ],
)
def test_a_machine_whose_speed_changed_is_reported(after_ns: float, said: str) -> None:
    assert drift(RoundCost(96, 97, 98), RoundCost(after_ns, 200, 300)) == said


def test_what_is_known_of_services_is_as_they_have_it() -> None:
    """Tools import no service, so these facts are copies."""
    assert workers.THREADS_PER_CPU.default == THREADS_PER_CPU
    assert OPTION_PREFIX == ENV_PREFIX
    assert MAX_VALUES["compute"]["rounds"] == rounds.MOST_ROUNDS
    assert MAX_VALUES["call"]["delay_us"] == MOST_WAIT_MS * 1000
    assert [name for name in SIZED if MODELS[name].awaits] == list(AWAITING)
    assert all(MODELS[name].taxonomy.queue == "bounded" and MODELS[name].taxonomy.hand_off == "queue" for name in POOLS)


def test_the_command_prints_the_advice_first_and_the_table_below(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    flags = ["--cpu-ms", "0.01", "--rate", "50", "--slo", "p99<50ms", "--models", GOOD, "--starts", "1"]
    assert cli.main(["size", *flags, "--results", str(results)], PROGRAMS) == 0
    (folder,) = results.iterdir()
    lines = capsys.readouterr().out.splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("The fewest CPUs: "))
    assert GOOD in " ".join(lines[at : at + 3])
    assert any(line.startswith("0.01 ms of Python are ") for line in lines[at:])
    assert str(folder / "report.html") in lines
    assert lines[-1].startswith("Afterwards: ")


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--slo", "p98<1s"), "--slo 'p98<1s'"),
        (("--slo", "p99<20ms"), "cannot be met: a call takes 20.3 ms (0.3 ms of CPU and 20 ms of wait)"),
        (("--slo", "p99<900s", "--wait-ms", "70000"), "a wait of 70000 ms: a call waits for at most 60,000 ms"),
        (("--slo", "p99<1s", "--step", "time:time"), "--cpu-ms and --step exclude each other: set one of them"),
        (("--slo", "p99<1s", "--threads-per-cpu", "0"), "'0' is not a number within 1 to"),
        (("--slo", "p99<1s", "--service", "shop"), "--service has no effect without --from-traces"),
        (
            ("--slo", "p99<1s", "--price", "0.04"),
            "--price '0.04': write an amount above 0 with its unit, as '0.04 EUR/",
        ),
        (("--slo", "p99<1s", "--price", "0 EUR/cpu-hour"), "--price '0 EUR/cpu-hour': write an amount above 0"),
        (("--slo", "p99<1s", "--shards", "2"), "--shards has no effect without --cluster"),
        (("--slo", "p99<1s", "--models", "nosuch"), "unknown model 'nosuch'"),
        (("--slo", "p99<1s", "--rate", "0"), "'0' is not a number above 0"),
        (("--slo", "p99<1s", "--rate", "many"), "'many' is not a number within 0 to 1,000,000"),
        (("--slo", "p99<1s", "--pod-cpus", "0.01"), "0.01 is not a number of CPUs within 0.05 to 1,024"),
        (("--slo", "p99<1s", "--spare", "1"), "'1' is not a percentage"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], why: str
) -> None:
    command = ["size", "--cpu-ms", "0.3", "--wait-ms", "20", "--rate", "1500", *flags]
    try:
        status = cli.main([*command, "--results", str(tmp_path / "results")], PROGRAMS)
    except SystemExit as ended:  # argparse
        status = int(str(ended.code))
    assert status == 2
    complaint = capsys.readouterr().err
    assert why in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "results").exists()
