"""An experiment's run: what is started and how, what is stored, and how one failure affects the rest."""

from dataclasses import dataclass, field
from dataclasses import replace as replace_in
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from tests.tools import sample
from tests.tools.fake_programs import GIVEN_UP, GOOD, MODELS, MORTAL, PROGRAMS, REFUSED, STILLBORN, STUBBORN, UNANSWERED
from tools import experiment, serving
from tools.experiment import Arm, Experiment, Load, Point
from tools.local import LocalError, Process, Programs
from tools.measures import rate_rps
from tools.results import Trial, TrialId, read_trials, trial_path, write_trial
from tools.run import run
from tools.serving import LocalService, LocalSetup
from tools.trial_specs import TrialSpec, still_to_make, trials

ASKED = Experiment(
    title="Why?",
    arms={model: Arm(model=model) for model in MODELS},
    load=Load(connections=(1, 10), streams=(2,), timeout_s=0.5),
    warmup_s=0.5,
    duration_s=0.25,
    trace_ratio=0.25,
    plan={"steps": [{"compute": {"rounds": 5}}], "payload_bytes": 8},
    service_options={"queue_bound": 7},
)
Pair = tuple[str, int]
"""Model and connections."""


@dataclass
class Notes:
    """A watcher that remembers."""

    begun: list[Pair] = field(default_factory=list)
    kept: list[Trial] = field(default_factory=list)
    failures: dict[Pair, str] = field(default_factory=dict)
    voids: dict[Pair, str] = field(default_factory=dict)
    repeated: dict[Pair, str] = field(default_factory=dict)

    def begins(self, trial: TrialSpec) -> None:
        self.begun.append(_pair(trial))

    def waits(self, trial: TrialSpec, why: str) -> None:
        raise AssertionError(f"nothing here waits: {trial.described}: {why}")

    def ended(self, trial: Trial) -> None:
        self.kept.append(trial)

    def repeats(self, trial: TrialSpec, why: str) -> None:
        self.repeated[_pair(trial)] = why

    def void(self, trial: TrialSpec, why: str) -> None:
        self.voids[_pair(trial)] = why

    def failed(self, trial: TrialSpec, why: str) -> None:
        self.failures[_pair(trial)] = why


def _pair(trial: TrialSpec) -> Pair:
    return trial.arm.model, trial.point.connections


def wanted(model: str, connections: int) -> TrialSpec:
    point = Point(name=str(connections), connections=connections, streams=2)
    return TrialSpec(TrialId(model, point.name), Arm(model=model), point)


def run_fakes(folder: Path, *pairs: Pair, programs: Programs = PROGRAMS) -> Notes:
    notes = Notes()
    run(ASKED, [wanted(*pair) for pair in pairs], LocalSetup(folder, programs, None), notes)
    return notes


def test_a_trial_is_kept_with_the_counters_of_the_service_that_it_loaded(tmp_path: Path) -> None:
    run_fakes(tmp_path, (GOOD, 10))
    (kept,) = read_trials(tmp_path).trials
    assert (kept.model, kept.connections) == (GOOD, 10)
    loaded = kept.result["flags"]["--address"]
    assert f"{GOOD}.{kept.before.processes}:1" == f"{GOOD}.{kept.after.processes}:1" == loaded


def test_the_driver_is_given_what_the_experiment_asks(tmp_path: Path) -> None:
    (trial,) = run_fakes(tmp_path, (GOOD, 10)).kept
    flags = dict(trial.result["flags"])
    for own in ("--address", "--plan"):
        del flags[own]
    assert flags == {
        "--connections": "10",
        "--streams": "2",
        "--method": "Run",
        "--warmup": "0.5",
        "--duration": "0.25",
        "--timeout": "0.5",
        "--trace-ratio": "0.25",
        "--trace-file": str(tmp_path / "traces" / "driver.jsonl"),
        "--run": tmp_path.name,
        "--trial": f"{GOOD}-10-1",
        "--model": GOOD,
    }


def test_a_trial_has_the_cpu_time_that_its_service_used_in_each_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter((1000, 1300, 2000, 2900))
    monkeypatch.setattr("tools.trial.tree_ns", lambda _: next(readings))
    asked = replace(ASKED.of([GOOD]), blocks=2, rounds=1, load=Load(connections=(10,), streams=(2,)))
    notes = Notes()
    run(asked, trials(asked), LocalSetup(tmp_path, PROGRAMS, None), notes)
    (kept,) = read_trials(tmp_path).trials
    assert kept.slices_cpu_ns == (300, 900)


def test_every_round_starts_a_service_of_its_own(tmp_path: Path) -> None:
    notes = Notes()
    run(ASKED, trials(ASKED.of([GOOD])), LocalSetup(tmp_path, PROGRAMS, None), notes)
    started = {(trial.id.round, trial.after.processes) for trial in notes.kept}
    assert len(notes.kept) == 2 * ASKED.rounds
    assert len(started) == len({process for _, process in started}) == ASKED.rounds


@pytest.mark.parametrize(
    ("mishap", "why"),
    [
        ((STILLBORN, 10), "stillborn ended with status 1: stillborn: Address already in use"),
        ((MORTAL, 10), "mortal ended with status 1: mortal: out of memory"),
        ((GOOD, GIVEN_UP), "driver ended with status 1: services.driver: no result"),
    ],
    ids=["the service does not start", "the service dies", "the driver ends"],
)
def test_a_trial_that_fails_is_told_with_its_cause_and_the_next_one_runs(
    tmp_path: Path, mishap: Pair, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.slices.GRACE_S", 2.0)  # the driver does not answer after the service has died
    notes = run_fakes(tmp_path, mishap, (GOOD, 1))
    assert notes.failures == {mishap: why}
    model, connections = mishap
    assert read_trials(tmp_path).failed == ((TrialId(model, str(connections)), why),)
    assert [(trial.model, trial.connections) for trial in read_trials(tmp_path).trials] == [(GOOD, 1)]


def test_the_record_of_a_failure_has_the_last_output_of_the_process_and_goes_with_a_later_result(
    tmp_path: Path,
) -> None:
    run_fakes(tmp_path, (STILLBORN, 10))
    path = trial_path(tmp_path, TrialId(STILLBORN, "10")).with_suffix(".failed")
    reason, *output = path.read_text().splitlines()
    assert reason == "failed: stillborn ended with status 1: stillborn: Address already in use"
    assert output == ["a warning", "stillborn: Address already in use"]
    write_trial(tmp_path, replace_in(sample.trial("reactor", 10), id=TrialId(STILLBORN, "10")))
    assert [each.name for each in path.parent.iterdir()] == [f"{STILLBORN}-10-1.json"]


IN_BLOCKS = replace(ASKED.of([GOOD, STUBBORN]), blocks=2, rounds=1, load=Load(connections=(10,), streams=(2,)))


def canaries(monkeypatch: pytest.MonkeyPatch, *loops_ns: int) -> None:
    """The loop takes so long, two for each slice, and then always the first time."""
    left = list(loops_ns)
    monkeypatch.setattr("tools.canary.loop_ns", lambda _cpus: left.pop(0) if left else loops_ns[0])


def test_the_slices_of_a_block_are_repeated_together_if_the_cpu_was_slower_beside_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries(monkeypatch, 1000, 1000, 2000, 2000, 1000)
    notes = Notes()
    run(IN_BLOCKS, trials(IN_BLOCKS), LocalSetup(tmp_path, PROGRAMS, None), notes)
    assert notes.begun == [(GOOD, 10), (STUBBORN, 10)] * 2
    assert [trial.slices_canary_ns for trial in read_trials(tmp_path).trials] == [(2000, 2000), (2000, 2000)]


def test_an_arm_that_is_repeated_and_still_apart_is_void_with_that_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries(monkeypatch, 1000, 1000, 2000, 2000, *[1000] * 4, 1000, 1000, 3000, 3000)
    notes = Notes()
    run(IN_BLOCKS, trials(IN_BLOCKS), LocalSetup(tmp_path, PROGRAMS, None), notes)
    assert not read_trials(tmp_path).trials
    assert notes.voids[GOOD, 10].startswith("the CPU's speed differed by a factor of 3 ")


def test_an_arm_that_did_other_work_is_repeated_once_and_then_void(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tools.checks._other_work",
        lambda trial, others: ["it did other work"] if others and trial.arm == STUBBORN else [],
    )
    notes = run_fakes(tmp_path, (GOOD, 10), (STUBBORN, 10))
    assert notes.repeated == notes.voids == {(STUBBORN, 10): "it did other work"}
    assert [trial.arm for trial in read_trials(tmp_path).trials] == [GOOD]


def test_a_second_trial_has_a_service_of_its_own(tmp_path: Path) -> None:
    asked = replace(ASKED.of([GOOD, STUBBORN]), rounds=1, load=Load(connections=(10,), streams=(2,)))
    run(asked, still_to_make(asked, (), twice=True), LocalSetup(tmp_path, PROGRAMS, None), Notes())
    found = read_trials(tmp_path)
    (again,) = found.again
    (first,) = [trial for trial in found.trials if trial.arm == GOOD]
    assert again.result["flags"]["--address"] != first.result["flags"]["--address"]


def test_a_trial_without_an_answer_is_a_result_of_its_model(tmp_path: Path) -> None:
    notes = run_fakes(tmp_path, (GOOD, UNANSWERED))
    assert not notes.failures
    assert (
        [rate_rps(trial) for trial in notes.kept] == [rate_rps(trial) for trial in read_trials(tmp_path).trials] == [0]
    )


def test_a_service_that_will_not_stop_does_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.local.STOP_TIMEOUT_S", 0.05)
    assert len(run_fakes(tmp_path, (STUBBORN, 1), (GOOD, 1)).kept) == 2


def test_services_of_a_round_all_listen_before_the_first_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    class Sequenced(Notes):
        """Its trials among the events."""

        def begins(self, trial: TrialSpec) -> None:
            events.append(f"{trial.arm.model} is measured")

    def listening(process: Process, timeout_s: float) -> LocalService:
        found = serving.listening(process, timeout_s)
        events.append(f"{process.name} listens")
        return found

    monkeypatch.setattr("tools.run.listening", listening)
    run(ASKED, [wanted(GOOD, 1), wanted(STUBBORN, 1)], LocalSetup(tmp_path, PROGRAMS, None), Sequenced())
    assert events == ["good listens", "stubborn listens", "good is measured", "stubborn is measured"]


def test_without_a_backend_nothing_is_measured(tmp_path: Path) -> None:
    without = Programs(services=("/bin/sh", "-c", "echo port in use >&2; exit 2"), driver=PROGRAMS.driver)
    with pytest.raises(LocalError, match=r"^backend ended with status 2: port in use$"):
        run_fakes(tmp_path, (GOOD, 1), programs=without)


def test_the_real_programs_do_the_same_work_and_leave_spans_of_it(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    smoke = experiment.read(experiment.path_of("smoke")).of(["reactor", "thread_per_connection"])
    notes = Notes()
    run(
        smoke, [wanted("reactor", 1), wanted("thread_per_connection", 4)], LocalSetup(tmp_path, Programs(), None), notes
    )
    assert not notes.failures
    assert len({checksum for trial in notes.kept for checksum in trial.result["checksums"]}) == 1
    for trial in notes.kept:
        assert trial.before.model == trial.after.model == trial.model
        assert trial.before.connections == trial.connections
        assert trial.result["plan"]["steps"] == yaml.safe_load(yaml.safe_dump(smoke.plan["steps"]))
    traced = {call["trace_id"] for trial in notes.kept for call in trial.result["traces"]}
    for process in ("driver", "reactor", "thread_per_connection", "backend"):
        spans = (tmp_path / "traces" / f"{process}.jsonl").read_text()
        assert any(trace_id in spans for trace_id in traced), process


def test_an_arm_is_loaded_with_its_own_calls(tmp_path: Path) -> None:
    arms = {name: Arm(model="reactor", plan=plan) for name, plan in (("own", {"payload_bytes": 3}), ("shared", {}))}
    smoke = replace(experiment.read(experiment.path_of("smoke")), arms=arms, rounds=1, trace_ratio=0)
    notes = Notes()
    setup = LocalSetup(tmp_path, Programs(), None, traced=False)
    run(smoke, [each for each in trials(smoke) if each.point.connections == 1], setup, notes)
    sent = {trial.arm: trial.result["plan"] for trial in notes.kept}
    assert sent == {"own": {"payload_bytes": 3}, "shared": smoke.plan}


def test_a_trial_has_the_capacity_that_its_rate_is_a_multiple_of(tmp_path: Path) -> None:
    smoke = experiment.read(experiment.path_of("smoke")).of(["reactor"])
    half = replace(smoke, load=Load(connections=(1,), rate_of_capacity=(0.5,)), rounds=1, trace_ratio=0)
    notes = Notes()
    run(half, trials(half), LocalSetup(tmp_path, Programs(), None, traced=False), notes)
    (trial,) = read_trials(tmp_path).trials
    assert trial.capacity_rps
    assert trial.result["asked"]["rate_rps"] == 0.5 * trial.capacity_rps


def test_a_service_that_takes_no_connection_is_void_and_no_failure_of_the_command(tmp_path: Path) -> None:
    notes = run_fakes(tmp_path, (GOOD, REFUSED), (GOOD, 1))
    assert notes.voids == {(GOOD, REFUSED): "driver: good.1:1: Connection refused"}
    assert not notes.failures
    assert [trial.connections for trial in notes.kept] == [1]
