"""How the driver gets a load: each key of an experiment is one of its flags."""

import msgspec
import pytest

from services.driver.options import parse_slices
from tools.experiment import Experiment, parse
from tools.trial import load_flags

LOADS: dict[str, tuple[str, dict[str, str]]] = {
    "closed loop": ("streams: 2", {"--streams": "2"}),
    "open loop": ("rate_rps: 40, arrival: poisson", {"--rate": "40.0", "--arrival": "poisson"}),
    "schedule": ("schedule: 'ramp:1-9@2s'", {"--schedule": "ramp:1-9@2s"}),
    "idle connections": ("idle: 7", {"--streams": "1", "--idle": "7"}),
    "short connections": ("calls_per_connection: 3", {"--streams": "1", "--calls-per-connection": "3"}),
    "streaming": ("method: RunStream", {"--streams": "1", "--method": "RunStream"}),
    "deadline": ("deadline_s: 0.5", {"--streams": "1", "--deadline": "0.5"}),
}
ALWAYS = {
    "--connections": "4",
    "--method": "Run",
    "--warmup": "1.0",
    "--duration": "5.0",
    "--timeout": "10.0",
    "--trace-ratio": "0.01",
}


def asked(load: str) -> Experiment:
    return parse(f"{{title: Load, connections: 4, plan: {{}}, {load}}}", "test")


def flags(load: str) -> list[str]:
    return load_flags(asked(load), asked(load).points[0])


@pytest.mark.parametrize(("load", "expected"), LOADS.values(), ids=LOADS)
def test_each_key_of_a_load_is_a_flag(load: str, expected: dict[str, str]) -> None:
    found = flags(load)
    assert dict(zip(found[::2], found[1::2], strict=True)) == {**ALWAYS, **expected}


@pytest.mark.parametrize("load", [load for load, _ in LOADS.values()], ids=LOADS)
def test_the_driver_knows_each_flag(load: str) -> None:
    options = parse_slices(["--address", "127.0.0.1:1", "--plan", "plan.yaml", *flags(load)])
    assert options.connections == 4


def test_a_closed_loop_in_an_experiment_of_open_loops_has_no_arrivals() -> None:
    """As where the capacity is measured that a rate is a multiple of."""
    load = "rate_of_capacity: 2, arrival: poisson"
    closed = msgspec.structs.replace(asked(load).points[0], streams=1)
    assert "--arrival" not in load_flags(asked(load), closed)
