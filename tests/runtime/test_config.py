"""A model has its own options, its own choices, and one line for any other."""

import pytest

from services.__main__ import parse
from services.models import MODELS, STYLE
from services.runtime import memory
from services.runtime.config import Config
from services.runtime.model import Model, Taxonomy
from services.runtime.options import Option, Whole
from services.runtime.workers import PROCESSES
from tests.chart import generated
from tests.documents import service_options

MIB = 1024 * 1024

REJECTED = [
    ("reactor", ["--style", "goto"], {}, "--style: 'goto' is not one of closures, ripped, continuations"),
    ("reactor", [], {"SWEETSPOT_STYLE": "goto"}, "SWEETSPOT_STYLE: 'goto' is not one of closures"),
    ("reactor", ["--loops", "0"], {}, "--loops: 0 is not within 1 to 1024"),
    ("reactor", ["--backend", "::1:80"], {}, "'::1:80' is not HOST:PORT, such as localhost:50051 or [::1]:50051"),
    ("reactor", ["--function", "shop"], {}, "--function: 'shop' is not MODULE:FUNCTION, such as shop.prices:quote"),
    ("reactor", ["--port", "65536"], {}, "--port: 65536 is not within 0 to 65535"),
    ("reactor", ["--prot", "1"], {}, "unrecognized arguments: --prot 1"),
]
FORKING = "process_pool, proactor, half_sync_half_async, multi_reactor, coroutines, partitioned, grpcio_threads, "
ABSENT = [
    ("coroutines", "style", "reactor"),
    ("multi_reactor", "loops", "reactor, coroutines"),
    ("reactor", "processes", FORKING),
    ("reactor", "reuse_port", "process_pool"),
    ("reactor", "threads_per_cpu", "thread_pool, process_pool, proactor, half_sync_half_async, callback_pool, seda, "),
    ("green_threads", "queue_bound", "thread_pool, proactor, half_sync_half_async, callback_pool, partitioned, seda, "),
    ("backend", "balance", "multi_reactor"),
    ("backend", "conflicts", "iterative, thread_per_connection, "),
    ("backend", "function", "iterative, thread_per_connection, "),
    ("backend", "interop", "iterative, thread_per_connection, "),
    ("grpcio_threads", "interop", "iterative, thread_per_connection, "),
    ("grpcio_asyncio", "memory_budget", "iterative, thread_per_connection, "),
    ("grpcio_asyncio", "backlog", "iterative, thread_per_connection, "),
]
"""A service, an option that it does not have, and the models that have it, or the first of them."""
WITHOUT_EFFECT = {
    ("process_pool --processes 2", "threads_per_cpu"): "--processes 0",
    ("proactor", "processes"): "--hand-off processes",
    ("proactor", "threads_per_cpu"): "--hand-off threads",
    ("proactor", "queue_bound"): "--hand-off threads or processes",
    ("proactor --hand-off threads", "processes"): "--hand-off processes",
    ("proactor --hand-off processes", "threads_per_cpu"): "--hand-off threads",
    ("half_sync_half_async", "processes"): "--hand-off processes",
    ("half_sync_half_async --hand-off blocking", "processes"): "--hand-off processes",
    ("half_sync_half_async --hand-off blocking", "policy"): "--hand-off all or processes",
}
"""A model with options, and another option that would have no effect -> what it needs to have one."""
SWEETS = Option("sweets", 3, Whole(1, 9), "sweets that each call gets")


def rejected(arguments: list[str], environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that rejects this command line."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments, environ)
    line = capsys.readouterr().err
    assert ended.value.code == 2
    assert line.count("\n") == 1
    return line


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    """A model with an option of its own, as a row of MODELS."""
    taxonomy = Taxonomy(tasks="serial", stack="automatic", io="blocking", conflicts="none", accepts="main thread")
    monkeypatch.setitem(MODELS, "toy", Model("toy", "a toy", "never", taxonomy, options=(SWEETS,)))
    return "toy"


def test_a_row_is_all_that_an_option_of_a_new_model_needs(toy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([toy], {})[1][SWEETS] == 3
    assert parse([toy, "--sweets", "4"], {})[1][SWEETS] == 4
    assert parse([toy], {"SWEETSPOT_SWEETS": "5"})[1][SWEETS] == 5
    assert "--sweets: 10 is not within 1 to 9" in rejected([toy, "--sweets", "10"], {}, capsys)
    assert "--sweets: not an option of reactor, only of toy" in rejected(["reactor", "--sweets", "4"], {}, capsys)
    assert "| `--sweets` | 1 to 9 | `3` | sweets that each call gets |" in service_options.of_some_models()
    assert [option.name for option in generated.options(toy)][-1] == "sweets"


@pytest.mark.parametrize(("service", "name", "models"), ABSENT)
def test_an_option_of_other_models_is_rejected_with_their_names(
    service: str, name: str, models: str, capsys: pytest.CaptureFixture[str]
) -> None:
    why = f"not an option of {service}, only of {models}"
    flag, variable = "--" + name.replace("_", "-"), f"SWEETSPOT_{name.upper()}"
    assert f"argument {flag}: {why}" in rejected([service, flag], {}, capsys)
    assert f"argument {flag}: {why}" in rejected([service, f"{flag}=1"], {}, capsys)
    assert f"{variable}: {why}" in rejected([service], {variable: "1"}, capsys)


@pytest.mark.parametrize(("start", "name"), WITHOUT_EFFECT)
def test_an_option_that_would_have_no_effect_is_rejected_with_what_it_needs(
    start: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    why = f"has an effect only with {WITHOUT_EFFECT[start, name]}: add that, or leave it out"
    model, *options = start.split()
    option = next(each for each in MODELS[model].options if each.name == name)
    value = "shortest" if name == "policy" else "3"
    assert f"argument {option.flag}: {why}" in rejected([model, *options, option.flag, value], {}, capsys)
    assert f"argument {option.flag}: {why}" in rejected([model, *options, f"{option.flag}={value}"], {}, capsys)
    assert f"{option.variable}: {why}" in rejected([model, *options], {option.variable: value}, capsys)
    assert parse([model, *options, option.flag, str(option.default)], {})[1][option] == option.default


def test_every_option_that_needs_another_one_is_in_the_table() -> None:
    needing = {(model.name, option.name) for model in MODELS.values() for option in model.options if option.need}
    assert needing == {(start.partition(" ")[0], name) for start, name in WITHOUT_EFFECT}


@pytest.mark.parametrize(
    "arguments",
    [
        "process_pool --threads-per-cpu 3",
        "proactor --hand-off threads --threads-per-cpu 3 --queue-bound 3",
        "proactor --hand-off processes --processes 3 --queue-bound 3",
        "half_sync_half_async --hand-off processes --processes 3 --policy shortest",
    ],
)
def test_an_option_with_what_it_needs_is_accepted(arguments: str) -> None:
    assert parse(arguments.split(), {})


def test_variables_of_other_programs_are_ignored() -> None:
    assert parse(["reactor"], {"SWEETSPOT_FREE_PYTHON": "python3.14t", "SWEETSPOT_MODEL": "seda"})[0] == "reactor"


def test_variables_of_opentelemetry_are_read_where_the_others_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(["reactor"], {"OTEL_LOGS_EXPORTER": "otlp"})
    assert refused.value.code == 2
    assert "reactor: OTEL_LOGS_EXPORTER: " in capsys.readouterr().err
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "otlp")
    assert parse(["reactor"], {})[0] == "reactor"


@pytest.mark.parametrize(
    ("memory_budget", "limit_bytes", "budget"),
    [
        (None, None, 24 * MIB),
        (None, 256 * MIB, 24 * MIB),
        (None, 160 * MIB, 20 * MIB),
        (None, 64 * MIB, 12 * MIB),  # three messages: one that comes compressed takes two, and one more is read
        (None, 1 << 40, 24 * MIB),
        (100 * MIB, 256 * MIB, 100 * MIB),
    ],
)
def test_the_memory_budget_is_a_share_of_the_groups_limit(
    memory_budget: int | None, limit_bytes: int | None, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "memory_limit_bytes", lambda: limit_bytes)
    assert memory.budget_bytes(Config(memory_budget=memory_budget)) == budget


@pytest.mark.parametrize(("model", "arguments", "environ", "why"), REJECTED)
def test_a_wrong_value_is_rejected_in_one_line(
    model: str, arguments: list[str], environ: dict[str, str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in rejected([model, *arguments], environ, capsys)


@pytest.mark.parametrize(("model", "count"), [("coroutines", 1), ("multi_reactor", 0)])
def test_a_model_may_have_a_default_of_its_own(model: str, count: int) -> None:
    assert parse([model], {})[1][PROCESSES] == count
    assert parse([model, "--processes", "3"], {})[1][PROCESSES] == 3
    assert parse([model], {"SWEETSPOT_PROCESSES": "3"})[1][PROCESSES] == 3


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_default() -> None:
    ripped = {"SWEETSPOT_STYLE": "ripped"}
    assert parse(["reactor"], {})[1][STYLE] == "closures"
    assert parse(["reactor"], ripped)[1][STYLE] == "ripped"
    assert parse(["reactor", "--style", "continuations"], ripped)[1][STYLE] == "continuations"
