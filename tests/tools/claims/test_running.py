"""A run of claims: rounds until each claim is decided, stored so that every verdict can be derived again."""

import dataclasses
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.tools import driven
from tests.tools.claims.made import ask, in_place, state
from tools import cli
from tools.claims import claims_run, floor, judged_run, publication, reading, running
from tools.claims.claim import Claim
from tools.claims.counting import COUNTINGS, Counting
from tools.claims.decision import ClaimVerdict
from tools.experiment import Experiment
from tools.local import LocalError, Programs
from tools.results import BadResultsError, write_trial, write_void
from tools.trial_specs import TrialSpec

RACE = """
title: Which is faster?
arms: {hare: {model: reactor}, tortoise: {model: thread_pool}}
load: {connections: [10]}
plan: {}
duration_s: 0.5
rounds: 8
"""
TWICE = {"experiment": "race", "statistic": {"measure": "rate_rps", "ratio": ["hare", "tortoise"]}}


class Runner:
    """Makes trials of drawn calls, at these speeds."""

    alternates = True

    def __init__(self, noise: float = 0.01, **speeds: float) -> None:
        self.noise = noise
        self.speeds = speeds
        self.void: set[int] = set()
        self.lost = False
        self.waived = ""
        self.measured: list[str] = []
        self.folders: list[str] = []

    def lacks(self, asked: Experiment) -> str:
        return "there is no tortoise" if "tortoise" in self.speeds and not self.speeds["tortoise"] else ""

    def measure(self, asked: Experiment, wanted: Sequence[TrialSpec], folder: Path) -> None:
        self.folders.append(folder.name)
        for each in wanted:
            if self.lost and folder.name == "race":
                continue
            self.measured.append(str(each.id))
            if each.id.round in self.void:
                write_void(folder, each.id, "other processes took 40 %")
                continue
            speed = self.speeds.get(each.id.arm, 1.0)
            trial = driven.trial(asked, each, speed, random.Random(str(each.id)), self.noise)
            write_trial(folder, dataclasses.replace(trial, waived=self.waived))


class Notes:
    """The words of the verdicts that were decided."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def counts(self, name: str, number: int) -> None:
        """Nothing is shown."""

    def counted(self) -> None:
        """Nothing is shown."""

    def counting_failed(self, name: str, why: str) -> None:
        self.words[name] = why

    def decided(self, claim: Claim, verdict: ClaimVerdict) -> None:
        self.words[claim.claim] = verdict.word


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Beside it are the claims. C12 states that the hare is at least twice as fast, C13 that it is as fast."""
    aa = (reading.EXPERIMENTS / "aa.yaml").read_text()
    in_place(tmp_path, monkeypatch, race=RACE, aa=aa)
    state(tmp_path, **TWICE, holds_if={"at_least": 2})
    state(tmp_path, **TWICE, claim="C13", holds_if={"within": [0.8, 1.25]})
    return tmp_path / "run"


def run(
    folder: Path, runner: Runner, names: Sequence[str] = ("C12", "C13"), rounds: int = 8, within_s: float = 600
) -> dict[str, str]:
    """The word for each claim."""
    every = reading.claims(folder.parent / "statements", folder.parent / "experiments")
    chosen = [every[name] for name in names]
    if not folder.exists():
        claims_run.register(folder, chosen, [floor.EXPERIMENT])
        running.store_missing(folder, chosen, runner, Programs(), in_cluster=False)
    notes = Notes()
    running.run(folder, chosen, runner=runner, notes=notes, programs=Programs(), rounds=rounds, within_s=within_s)
    return notes.words


def test_rounds_end_when_every_claim_is_decided(folder: Path) -> None:
    runner = Runner(hare=3.0)
    assert run(folder, runner) == {"C12": "holds", "C13": "does not hold"}
    assert {name for name in runner.measured if "hare" in name} == {f"hare-10-{number}" for number in (1, 2, 3)}


@pytest.mark.parametrize(("speed", "last"), [(2.4, 8), (2.0, 3)], ids=["near a decision", "at the threshold"])
def test_an_open_claim_has_more_rounds_where_they_are_expected_to_decide(folder: Path, speed: float, last: int) -> None:
    runner = Runner(noise=0.2, hare=speed)
    run(folder, runner, ["C12"])
    assert max(int(name.rsplit("-", 1)[1]) for name in runner.measured if "hare" in name) == last


def test_every_experiment_has_its_first_look_before_one_has_its_second(folder: Path) -> None:
    ask(folder.parent, "relay", RACE)
    state(folder.parent, **TWICE | {"experiment": "relay"}, claim="C13", holds_if={"at_least": 2})
    runner = Runner(noise=0.2, hare=2.4)
    run(folder, runner)
    assert [name for name in runner.folders if name != "aa"] == ["race", "relay", "race", "relay", "race", "relay"]


def test_no_later_look_begins_that_ends_too_late(folder: Path) -> None:
    runner = Runner(noise=0.2, hare=2.4)
    # Two further rounds of 10 s each are expected to take 20 s.
    assert run(folder, runner, ["C12"], within_s=19) == {"C12": "not distinguishable"}
    assert "hare-10-3" in runner.measured
    assert "hare-10-4" not in runner.measured


def test_a_run_goes_on_where_it_stopped(folder: Path) -> None:
    run(folder, Runner(hare=3.0), rounds=2)
    runner = Runner(hare=3.0)
    assert run(folder, runner)["C12"] == "holds"
    assert {name for name in runner.measured if "hare" in name} == {"hare-10-3"}


def test_verdicts_are_derived_from_the_trials_alone(folder: Path) -> None:
    words = run(folder, Runner(hare=3.0))
    assert {each.claim.claim: each.verdict.word for each in judged_run.read(folder).judged} == words


def test_a_run_that_is_published_has_the_same_verdicts(folder: Path, tmp_path: Path) -> None:
    words = run(folder, Runner(hare=3.0))
    publication.write(tmp_path / "claims.json", judged_run.read(folder))
    assert '"holds"' not in (tmp_path / "claims.json").read_text().replace('"verdict": "holds"', "")
    _, claims = publication.read(tmp_path / "claims.json")
    assert {each.claim.claim: each.verdict.word for each in claims.judged} == words
    assert claims.judged[0].verdict.figures == judged_run.read(folder).judged[0].verdict.figures


def test_swapped_arms_turn_the_verdict_round(folder: Path) -> None:
    run(folder, Runner(hare=3.0))
    trials = folder / "runs" / "race" / "trials"
    for path in sorted(trials.glob("hare-*.json")):
        other = trials / path.name.replace("hare", "tortoise")
        hare, tortoise = json.loads(path.read_text()), json.loads(other.read_text())
        path.write_text(json.dumps(tortoise | {"arm": "hare"}))
        other.write_text(json.dumps(hare | {"arm": "tortoise"}))
    assert {each.claim.claim: each.verdict.word for each in judged_run.read(folder).judged} == {
        "C12": "does not hold",
        "C13": "does not hold",
    }


def test_a_claim_whose_trials_are_void_says_why(folder: Path) -> None:
    runner = Runner(hare=3.0)
    runner.void = {1, 2, 4}
    run(folder, runner, ["C12"], rounds=3)
    (found,) = judged_run.read(folder).judged
    assert found.verdict.word == "void"
    assert found.verdict.why == "too few rounds have a figure: other processes took 40 %"


def test_a_noisy_machine_makes_rates_void_and_no_count(folder: Path) -> None:
    pages = {"statistic": {"measure": "calls_ok", "ratio": ["hare", "tortoise"]}, "holds_if": {"at_least": 2}}
    state(folder.parent, **{**TWICE, "claim": "C13", **pages})
    runner = Runner(hare=3.0)
    runner.waived = "other processes took 9 %"
    assert run(folder, runner, rounds=3) == {"C12": "void", "C13": "holds"}
    (noisy, _) = judged_run.read(folder).judged
    assert noisy.verdict.why == "too few rounds have a figure: other processes took 9 %"


def test_with_despite_noise_no_figure_is_void(folder: Path) -> None:
    every = reading.claims(folder.parent / "statements", folder.parent / "experiments")
    claims_run.register(folder, [every["C12"]], [floor.EXPERIMENT], despite_noise=True)
    runner = Runner(hare=3.0)
    runner.waived = "other processes took 9 %"
    assert run(folder, runner, ["C12"], rounds=3) == {"C12": "holds"}


def test_a_model_that_differs_from_itself_makes_comparisons_void(folder: Path) -> None:
    runner = Runner(hare=3.0, second=1.6)
    run(folder, runner, ["C12"])
    (found,) = judged_run.read(folder).judged
    assert found.verdict.word == "void"
    assert found.verdict.why.startswith("the rate of one model against itself differed by -")


def test_a_trial_that_is_void_is_not_made_again_beside_others_of_another_time(folder: Path) -> None:
    runner = Runner(noise=0.2, hare=2.0)
    runner.void = {2}
    run(folder, runner, ["C12"])
    assert runner.measured.count("hare-10-2") == 1


def test_a_round_that_was_interrupted_is_made_again_with_all_arms(folder: Path) -> None:
    run(folder, Runner(hare=3.0), ["C12"], rounds=3)
    (folder / "runs" / "race" / "trials" / "hare-10-2.json").unlink()
    runner = Runner(hare=3.0)
    run(folder, runner, ["C12"], rounds=3)
    assert sorted(name for name in runner.measured if "10-" in name) == ["hare-10-2", "tortoise-10-2"]


def test_a_run_that_measured_nothing_is_void(folder: Path) -> None:
    runner = Runner(hare=3.0)
    runner.lost = True
    run(folder, runner, ["C12"], rounds=3)
    (found,) = judged_run.read(folder).judged
    assert (found.verdict.word, found.verdict.why) == ("void", "nothing was measured")


def test_a_counting_that_fails_is_void_with_its_reason_and_is_made_again_when_the_run_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Mapping[str, int] | LocalError] = [LocalError("no room"), {"pages": 7}]

    def count(_programs: Programs) -> dict[str, int]:
        outcome = outcomes.pop(0)
        if isinstance(outcome, LocalError):
            raise outcome
        return dict(outcome)

    monkeypatch.setitem(COUNTINGS, "book", Counting("How many pages?", count, rounds=False, cost_s=1))
    pages = {"experiment": "book", "kind": "counted", "statistic": {"value": "pages"}, "holds_if": {"at_least": 5}}
    state(folder.parent, **pages)
    run(folder, Runner(), ["C12"])
    (found,) = judged_run.read(folder).judged
    assert (found.verdict.word, found.verdict.why) == ("void", "too few rounds have a figure: no room")
    assert run(folder, Runner(), ["C12"]) == {"C12": "holds"}


def test_what_cannot_be_had_is_not_here_and_is_not_measured(folder: Path) -> None:
    runner = Runner(tortoise=0.0)
    assert run(folder, runner, ["C12"]) == {"C12": "not here"}
    assert not any("tortoise" in name for name in runner.measured)
    (found,) = judged_run.read(folder).judged
    assert found.verdict.why == "there is no tortoise"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("statements/C14.yaml", "", "statements/C14.yaml is extra: run.json does not name it"),
        ("missing.json", "[]", "missing.json: Expected `object`, got `array`"),
        ("missing.json", '{"C12": 2}', "missing.json: Expected `str`, got `int` - at `$[...]`"),
    ],
    ids=["extra", "list", "number"],
)
def test_a_file_that_a_run_does_not_leave_is_one_line(folder: Path, name: str, content: str, complaint: str) -> None:
    run(folder, Runner(hare=3.0), ["C12"], rounds=1)
    claim = (folder / "statements" / "C12.yaml").read_text().replace("claim: C12", "claim: C14")
    (folder / name).write_text(content or claim)
    with pytest.raises(BadResultsError) as raised:
        judged_run.read(folder)
    assert str(raised.value) == f"{folder}/{complaint}"


def test_a_copy_that_is_gone_is_named(folder: Path) -> None:
    run(folder, Runner(hare=3.0), ["C12"], rounds=1)
    (folder / "statements" / "C12.yaml").unlink()
    with pytest.raises(BadResultsError, match=r"statements/C12\.yaml is missing: restore it$"):
        judged_run.read(folder)


def test_a_claim_that_was_edited_since_is_named(folder: Path) -> None:
    run(folder, Runner(hare=3.0), ["C12"])
    kept = claims_run.read(folder)
    assert claims_run.edited(folder, kept) == []
    state(folder.parent, **TWICE, holds_if={"at_least": 1.5})
    (problem,) = claims_run.edited(folder, kept)
    assert problem.startswith(f"{folder.parent}/statements/C12.yaml: the claim or its experiment was edited")


def test_an_edited_claim_does_not_change_what_an_earlier_run_says(folder: Path) -> None:
    run(folder, Runner(hare=3.0), ["C12"])
    state(folder.parent, **TWICE, holds_if={"at_least": 10})
    (found,) = judged_run.read(folder).judged
    assert found.verdict.word == "holds"


def test_two_runs_that_exist_are_compared_verdict_by_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = folder.parent / "second"
    run(folder, Runner(hare=3.0))
    run(second, Runner(hare=1.0))
    assert cli.main(["compare", str(folder), str(second)]) == 0
    assert capsys.readouterr().out.split("\n")[1:4] == [
        "0 of 2 verdicts are the same in both runs.",
        "C12    moved: holds, now does not hold",
        "C13    moved: does not hold, now holds",
    ]
