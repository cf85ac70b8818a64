"""When a run of two arms stops, and that it resumes as it stopped."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import structs

from tests.tools import sample
from tests.tools.fake_programs import PROGRAMS
from tools import cli
from tools.early_stop import decided
from tools.experiment import Arm, BadExperimentError, Experiment, Load, parse
from tools.results import Trial, TrialId, read_trials

BLOCKS = 8
ASKED = Experiment(
    title="Which?",
    arms={"a": Arm(model="reactor"), "b": Arm(model="reactor")},
    load=Load(connections=(10,), streams=(1,)),
    rounds=16,
    blocks=BLOCKS,
    until="decided",
)
S_NS = 1_000_000_000


def slices(rates: Callable[[], float]) -> list[dict[str, Any]]:
    return [{"answered": round(rates()), "started_monotonic_ns": 0, "ended_monotonic_ns": S_NS} for _ in range(BLOCKS)]


def trials(rounds: int, ratio: float) -> list[Trial]:
    """Slices whose rates differ by that ratio, with noise of 2 %."""
    random = Random(1)
    made = sample.trial("reactor", 10)

    def arm(name: str, number: int, mean: float) -> Trial:
        of_slices = slices(lambda: random.gauss(mean, 0.02 * mean))
        return replace(made, id=TrialId(name, "10", number), result={**made.result, "slices": of_slices})

    means = {"a": 10_000, "b": 10_000 * ratio}
    return [arm(name, number, mean) for number in range(1, rounds + 1) for name, mean in means.items()]


@pytest.mark.parametrize(
    ("rounds", "ratio", "so"),
    [
        (0, 1.0, False),
        (2, 1.2, False),  # 16 pairs, but of two starts
        (3, 1.2, False),  # 24 pairs: no look
        (4, 1.2, True),
        (4, 1.0, False),
        (16, 1.0, True),  # the last look
    ],
)
def test_a_run_is_decided_at_a_look_whose_interval_is_clear(rounds: int, ratio: float, so: bool) -> None:
    assert decided(ASKED, trials(rounds, ratio)) is so


def test_every_point_has_to_be_decided() -> None:
    two = structs.replace(ASKED, load=Load(connections=(10, 20), streams=(1,)))
    assert not decided(two, trials(4, 1.2))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("models: all", "at $.until: until compares two arms"),
        ("models: [reactor]", "at $.until: until compares two arms"),
        ("models: [reactor, seda]\nblocks: 6", "at $.blocks: until compares after 8, 16, 32 ... pairs"),
        ("models: [reactor, seda]\nuntil: late", "at $.until: "),
    ],
)
def test_what_cannot_be_decided_is_refused(text: str, why: str) -> None:
    until = "" if "until" in text else "until: decided\n"
    with pytest.raises(BadExperimentError) as caught:
        parse(f"title: Why?\nconnections: 1\nplan: {{}}\n{until}{text}\n", "mine.yaml")
    assert str(caught.value).startswith(f"mine.yaml: {why}")


def test_a_run_stops_once_it_is_decided_and_a_resumed_one_makes_no_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fake driver gives both arms the same figures: three rounds stand for what decides."""
    monkeypatch.setattr("tools.early_stop.decided", lambda _, kept: max((one.id.round for one in kept), default=0) >= 3)
    asked = tmp_path / "mine.yaml"
    arms = "arms: {a: {model: good}, b: {model: good}}"
    asked.write_text(f"title: Why?\n{arms}\nconnections: 1\nplan: {{}}\nrounds: 5\nuntil: decided\n")
    results = tmp_path / "results"
    assert cli.main(["run", str(asked), "--results", str(results)], PROGRAMS) == 0
    (folder,) = results.iterdir()
    assert {trial.id.round for trial in read_trials(folder).trials} == {1, 2, 3}
    said = capsys.readouterr()
    assert "Every point is decided after 3 of 5 rounds." in said.out
    assert said.err == ""
    assert cli.main(["run", "--resume", str(folder)], PROGRAMS) == 0
    assert len(read_trials(folder).trials) == 6
