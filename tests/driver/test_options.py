import pytest

from services.driver.options import OptionError, parse
from services.driver.schedule_text import read_schedule
from services.network.address import Address

GIVEN = {"--address": "127.0.0.1:1", "--connections": "10", "--plan": "p.yaml", "--out": "r.json", "--streams": "10"}


def arguments(**changed: str | None) -> list[str]:
    flags = GIVEN | {f"--{name}": value for name, value in changed.items()}
    return [part for flag, value in flags.items() if value is not None for part in (flag, value)]


def test_addresses_are_separated_by_commas_and_may_be_ipv6() -> None:
    assert parse(arguments(address="a:1,[::1]:2")).addresses == (Address("a", 1), Address("::1", 2))


def test_a_rate_makes_an_open_loop_of_constant_arrivals() -> None:
    options = parse(arguments(streams=None, rate="2.5"))
    assert (options.rate_rps, options.streams, options.arrival) == (2.5, None, "constant")


def test_a_schedule_makes_an_open_loop_of_it() -> None:
    options = parse(arguments(streams=None, schedule="steps:10@1s", arrival="poisson"))
    assert (options.rate_rps, options.streams, options.arrival) == (None, None, "poisson")
    assert options.schedule == read_schedule("steps:10@1s")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"address": "localhost"}, "--address"),
        ({"address": "h:0"}, "--address"),
        ({"address": "::1:80"}, "such as localhost:50051 or [::1]:50051"),
        ({"address": "h:1,"}, "--address"),
        ({"address": "h:1,g:1,h:1"}, "h:1 is given 2 times"),
        ({"connections": "0"}, "--connections"),
        ({"connections": "1000000000"}, "--connections"),
        ({"connections": "ten"}, "--connections"),
        ({"idle": "-1"}, "--idle"),
        ({"calls-per-connection": "0"}, "--calls-per-connection"),
        ({"duration": "-1"}, "--duration"),
        ({"duration": "nan"}, "--duration"),
        ({"timeout": "121"}, "--timeout"),
        ({"trace-ratio": "1.1"}, "--trace-ratio"),
        ({"rate": "5"}, "--rate"),
        ({"streams": None}, "--streams"),
        ({"arrival": "poisson"}, "--arrival"),
        ({"schedule": "steps:1@1s"}, "--schedule"),
        ({"streams": None, "rate": "1", "schedule": "steps:1@1s"}, "--schedule"),
        ({"streams": None, "schedule": "steps:1"}, "--schedule: '1' is not of the form 100@2s"),
        ({"streams": None, "schedule": "replay:/missing"}, "--schedule: /missing: No such file"),
        ({"plan": None}, "--plan"),
        ({"balance": "random"}, "--balance"),
        ({"shard": "2/2"}, "--shard"),
        ({"shard": "0/2"}, "--barrier"),
        ({"shard": "0/20", "barrier": "h:1"}, "20 shards"),
        ({"barrier": "h"}, "--barrier"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_flag(changed: dict[str, str | None], named: str) -> None:
    with pytest.raises(OptionError) as stopped:
        parse(arguments(**changed))
    assert named in str(stopped.value)
    assert "\n" not in str(stopped.value)
