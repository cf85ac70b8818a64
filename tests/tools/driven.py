"""Results folders whose numbers are those of calls, made by the driver's own code, so that `verify` reports no error.

No call is made: latencies are random. `speed` is how fast an arm answers; round and block add noise.
"""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweetspot.v1.control_pb2 import SnapshotReply

from services.driver.clients import Client, summarize
from services.driver.merge import join
from services.driver.options import parse_slices
from services.driver.outcome import Book, Outcome, Pod
from services.driver.plan import Plan, make_plan
from services.driver.result import make_result, make_slice
from services.driver.schedule import Window
from services.driver.streams import StreamedMessages
from services.wire import Code
from tools import bundle, experiment, report
from tools.experiment import Experiment
from tools.results import Trial, write_trial
from tools.trial_specs import TrialSpec, trials

EXPERIMENT = """
title: Which?
arms: {reactor: {model: reactor}, thread_pool: {model: thread_pool}}
load: {connections: [10]}
plan: {}
duration_s: 0.5
blocks: 4
"""
STREAMED = """
title: Which?
arms: {reactor: {model: reactor}}
load: {connections: [3], rate_rps: [400], method: RunStream}
mix: {light: {share: 2}, heavy: {share: 1, steps: [{compute: {rounds: 9}}]}}
duration_s: 0.2
blocks: 2
"""
ENVIRONMENT = {
    "kernel": "Linux 6.1.0-28-amd64 x86_64",
    "cpu": "AMD EPYC 7B13",
    "cpus": 2,
    "pinning": {"service": "CPU 0", "driver and backend": "CPU 1"},
    "python": "CPython 3.11.7",
    "git_revision": "8fa8a85c0ffee",
    "packages": {"ngh2": "0.3.0", "protobuf": "7.35.0"},
}


def closed(
    folder: Path,
    text: str = EXPERIMENT,
    speeds: Mapping[str, float] | None = None,
    environment: Mapping[str, Any] = ENVIRONMENT,
    *,
    noise: float = 0.02,
    machine: float = 1.0,
) -> Path:
    """A closed bundle of that experiment; returns it. Arms have a speed of 1 but for `speeds`, times the machine's."""
    asked = experiment.parse(text, "experiment.yaml")
    for wanted in trials(asked):
        dice = random.Random(f"{folder.name} {wanted.id}")
        speed = machine * (speeds or {}).get(wanted.id.arm, 1.0)
        write_trial(folder, trial(asked, wanted, speed, dice, noise))
    (folder / "experiment.yaml").write_text(asked.to_yaml())
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "traces").mkdir()
    (folder / "traces" / "driver.jsonl").write_text('{"resourceSpans": []}\n')
    bundle.close(folder, asked.seed)
    report.write(folder)
    return folder


def trial(asked: Experiment, wanted: TrialSpec, speed: float, dice: random.Random, noise: float = 0.02) -> Trial:
    """Of as many slices as the experiment has blocks."""
    made = result(asked, wanted, speed, dice, noise)
    cpu_ns = round(2e5 / speed * dice.lognormvariate(0, noise) * made["got"]["counted"])
    before = SnapshotReply(model=wanted.arm.model, processes=1, cpu_user_ns=10**9)
    after = SnapshotReply(model=wanted.arm.model, processes=1, cpu_user_ns=10**9 + cpu_ns, pss_bytes=30_000_000)
    counted = made["got"]["counted"]
    return Trial(wanted.id, wanted.arm.model, wanted.point.values, made, before, after, counted=counted)


def result(
    asked: Experiment, wanted: TrialSpec, speed: float, dice: random.Random, noise: float = 0.02
) -> dict[str, Any]:
    """What the driver would close with."""
    point = wanted.point
    flags = [
        "--address=127.0.0.1:1",
        "--plan=-",
        f"--connections={point.connections}",
        f"--duration={asked.duration_s}",
    ]
    flags += [f"--streams={point.streams}"] if point.streams else [f"--rate={point.rate_rps}"]
    options = parse_slices([*flags, f"--method={asked.load.method}", f"--timeout={asked.load.timeout_s}"])
    plan = make_plan(asked.calls)
    clients = [Client() for _ in range(point.connections)]
    results, slices = [], []
    for block in range(asked.blocks):
        now = speed * dice.lognormvariate(0, noise)
        outcome = _outcome(asked, plan, clients, block=block, speed=now, dice=dice)
        made = make_result(options, plan, datetime(2026, 11, 18, 10, tzinfo=UTC), outcome)
        results.append(made)
        slices.append(make_slice(outcome, made))
    return join(results) | {"slices": slices}


def _outcome(
    asked: Experiment, plan: Plan, clients: list[Client], *, block: int, speed: float, dice: random.Random
) -> Outcome:
    begin_ns = (1_000 + block) * 10**9
    window = Window.after(begin_ns, 0.1, asked.duration_s)
    streams = StreamedMessages() if asked.load.method == "RunStream" else None
    outcome = Outcome(window, begin_ns=begin_ns, drained_ns=window.end_ns + 10**7, streams=streams)
    number = round(1_000 * speed * asked.duration_s)
    for call in range(number):
        book: Book = outcome.books[dice.choice(list(plan.mix) or [""])]
        client = clients[call % len(clients)]
        book.accounts.planned += 1
        client.planned += 1
        if call == 7:
            book.accounts.fail(Code.UNAVAILABLE, "gone")
            continue
        book.accounts.ok += 1
        client.answered += 1
        book.latencies.append(round(dice.lognormvariate(16, 0.5) / speed))
        book.latenesses.append(dice.randrange(2_000))
        book.checksums["17"] += 1
        outcome.answered_by_tenth[10 * call // number] += 1
        if streams is not None:
            streams.first_messages.append(10**6)
            streams.gaps.append(dice.randrange(10**6))
    outcome.counted = outcome.answered + 5
    outcome.clients = summarize(clients, 0, {"asked": 0, "open": 0})
    outcome.pods = {"host": Pod(outcome.accounts.ok, begin_ns + 10**8)}
    outcome.connections = outcome.in_flight = outcome.in_flight_start = len(clients)
    outcome.cpu_user_ns, outcome.cpu_system_ns = 10**7, 10**6
    return outcome
