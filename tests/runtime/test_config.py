"""A model has its own options, its own choices, and one line for any other."""

import pytest

from services.__main__ import parse
from services.runtime import memory
from services.runtime.config import Config, parse_config

MIB = 1024 * 1024

REFUSED = [
    ("reactor", ["--style", "goto"], {}, "--style: 'goto' is not one of closures, ripped, continuations"),
    ("reactor", [], {"SWEETSPOT_STYLE": "goto"}, "SWEETSPOT_STYLE: 'goto' is not one of closures"),
    ("coroutines", ["--style", "ripped"], {}, "unrecognized arguments: --style ripped"),
    ("multi_reactor", ["--loops", "2"], {}, "unrecognized arguments: --loops 2"),
    ("reactor", ["--processes", "2"], {}, "unrecognized arguments: --processes 2"),
    ("reactor", ["--loops", "0"], {}, "--loops: 0 is not within 1 to 1024"),
    ("reactor", ["--backend", "::1:80"], {}, "'::1:80' is not HOST:PORT, such as localhost:50051 or [::1]:50051"),
    ("reactor", ["--function", "shop"], {}, "--function: 'shop' is not MODULE:FUNCTION, such as shop.prices:quote"),
    ("reactor", ["--port", "65536"], {}, "--port: 65536 is not within 0 to 65535"),
]


@pytest.mark.parametrize("model", ["grpcio_threads", "grpcio_asyncio"])
def test_a_memory_budget_is_refused_where_grpcs_core_reads(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse([model, "--memory-budget", "1000000"], {})
    assert refused.value.code == 2
    assert f"{model} has no option --memory-budget" in capsys.readouterr().err


def test_the_backend_has_no_function_because_it_runs_no_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(["backend", "--function", "shop:quote"], {})
    assert refused.value.code == 2
    assert "backend has no option --function" in capsys.readouterr().err


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


@pytest.mark.parametrize(("model", "arguments", "environ", "why"), REFUSED)
def test_what_is_no_option_of_the_model_is_refused_in_one_line(
    model: str, arguments: list[str], environ: dict[str, str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        parse_config("prog", model, arguments, environ)
    said = capsys.readouterr().err
    assert refused.value.code == 2
    assert why in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("model", "processes"), [("coroutines", 1), ("multi_reactor", 0)])
def test_a_model_may_have_a_default_of_its_own(model: str, processes: int) -> None:
    assert parse_config("prog", model, [], {}).processes == processes
    assert parse_config("prog", model, ["--processes", "3"], {}).processes == 3
    assert parse_config("prog", model, [], {"SWEETSPOT_PROCESSES": "3"}).processes == 3


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_default() -> None:
    assert parse_config("prog", "reactor", [], {}).style == "closures"
    assert parse_config("prog", "reactor", [], {"SWEETSPOT_STYLE": "ripped"}).style == "ripped"
    given = parse_config("prog", "reactor", ["--style", "continuations"], {"SWEETSPOT_STYLE": "ripped"})
    assert given.style == "continuations"
