"""A run of claims as a folder, with every verdict that there is. Its figures come from a seed.

`python -m tests.tools.claims.page.run FOLDER` makes one to look at.
"""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tests.tools import sample
from tests.tools.claims.made import LEAST
from tools.claims import claims_run, judged_run, page, reading
from tools.experiment import Experiment, Point
from tools.experiment import read as read_experiment
from tools.results import Trial, TrialId, write_trial, write_void

ROUNDS = 3
PLAN = {"steps": [{"compute": {"rounds": 500}}]}
LOOP, THREADS = {"model": "reactor"}, {"model": "thread_pool", "options": {"threads_per_cpu": 16}}
EXPERIMENTS: Mapping[str, Mapping[str, Any]] = {
    "aa": {
        "title": "By how much does one model differ from itself?",
        "arms": {"first": LOOP, "second": LOOP},
        "load": {"connections": [10]},
        "plan": PLAN,
    },
    "block": {
        "title": "Who waits, where 1.5 % of the calls block their thread for 50 ms?",
        "arms": {"loop": LOOP, "threads": THREADS},
        "load": {"connections": 20, "rate_rps": 400},
        "mix": {"innocent": {"share": 0.985, **PLAN}, "blocking": {"share": 0.015, **PLAN}},
    },
    "idle": {
        "title": "How much memory does an idle connection take?",
        "arms": {"threads": {"model": "thread_per_connection"}, "loop": LOOP},
        "load": {"connections": 10, "rate_rps": 200, "idle": [0, 100, 200]},
        "plan": PLAN,
    },
    "noisy": {
        "title": "Does a proactor hand off better?",
        "arms": {"loop": LOOP, "threads": THREADS},
        "load": {"connections": [10]},
        "plan": PLAN,
    },
}
P99 = {"measure": "latency_p99_ns", "of": "innocent"}
CLAIMS: Sequence[Mapping[str, Any]] = (
    {
        "claim": "C12",
        "says": "A handler that blocks stalls the whole event loop. In a pool of threads it stalls its own thread.",
        "lines": ["L37"],
        "core": True,
        "statistic": {**P99, "ratio": ["loop", "threads"]},
        "predicts": {"verdict": "holds", "about": 30, "because": "A loop is blocked for 30 % of the time."},
        "models": ["reactor", "thread_pool"],
    },
    {
        "claim": "C6",
        "says": "An idle connection takes far more memory as a thread than in an event loop.",
        "lines": ["L24", "L48"],
        "experiment": "idle",
        "statistic": {"measure": "pss_bytes", "over": "idle", "ratio": ["threads", "loop"]},
        "holds_if": {"at_least": 2},
        "and": [
            {
                "statistic": {"measure": "switches_per_call", "ratio": ["threads", "loop"], "at": {"idle": 200}},
                "holds_if": {"at_least": 5},
            }
        ],
        "predicts": {"verdict": "holds", "about": 4, "because": "A thread has a stack."},
    },
    {
        "claim": "C17",
        "says": "When the CPU is saturated, throughput declines in proportion to the load.",
        "lines": ["L49"],
        "reading": "notes",
        "statistic": {"measure": "rate_rps", "ratio": ["loop", "threads"]},
        "holds_if": {"at_most": 0.95},
        "predicts": {"verdict": "does not hold", "about": 1, "because": "What cannot be served waits in the clients."},
    },
    {
        "claim": "C17b",
        "says": "When the CPU is saturated, throughput stays.",
        "lines": ["L49"],
        "reading": "thesis",
        "statistic": {"measure": "rate_rps", "ratio": ["loop", "threads"]},
        "holds_if": {"within": [0.9, 1.1]},
        "predicts": {"verdict": "does not hold", "because": "Nobody believed it."},
    },
    {
        "claim": "C36",
        "says": "Preemption saves short calls from long ones.",
        "lines": ["L86"],
        "statistic": {"measure": "switches_per_call", "value": "threads"},
        "holds_if": {"at_least": 40},
        "changed": [{"day": "2026-11-28", "why": "The first threshold could not be reached."}],
    },
    {
        "claim": "C15",
        "says": "A proactor suits several processes better than a reactor.",
        "lines": ["L44"],
        "experiment": "noisy",
        "statistic": {"measure": "rate_rps", "ratio": ["loop", "threads"]},
        "holds_if": {"within": [0.9, 1.1]},
    },
    {
        "claim": "C31",
        "says": "Locks are needed where threads share data.",
        "lines": ["L82"],
        "statistic": {"measure": "lost_updates", "per": "calls_ok", "events": "threads"},
        "holds_if": {"at_least": 0.0001},
    },
    {
        "claim": "C5t",
        "says": "Threads use several cores directly, where there is no interpreter lock.",
        "lines": ["L21"],
        "needs": {"cpus": 2, "python": "free_threaded"},
    },
    {
        "claim": "C4",
        "says": "With a stack of its own, the logic of a call is one function from beginning to end.",
        "lines": ["L20"],
        "experiment": "styles",
        "kind": "counted",
        "statistic": {"value": "linear.code.functions_of_a_call"},
        "holds_if": {"within": [1, 1]},
        "and": [{"statistic": {"value": "closures.code.functions_of_a_call"}, "holds_if": {"at_least": 3}}],
        "predicts": {"verdict": "holds", "about": 1, "because": "A wait leaves its variables where they are."},
    },
    {
        "claim": "T9",
        "says": "Closures are as short as a straight handler.",
        "thesis": "4.3",
        "experiment": "styles",
        "kind": "counted",
        "statistic": {"ratio": ["closures.code.functions_of_a_call", "linear.code.functions_of_a_call"]},
        "holds_if": {"at_most": 2},
        "predicts": {"verdict": "holds", "about": 1.5, "because": "They are not."},
    },
)
VERDICTS = {
    "C4": "holds",
    "C5t": "not here",
    "C6": "holds",
    "C12": "holds",
    "C15": "void",
    "C17": "does not hold",
    "C17b": "holds",
    "C31": "holds",
    "C36": "not distinguishable",
    "T9": "does not hold",
}
NO_LOCK = "an interpreter without the lock: set SWEETSPOT_FREE_PYTHON"
COUNTED = {"linear": {"code": {"functions_of_a_call": 1}}, "closures": {"code": {"functions_of_a_call": 9}}}


def make(folder: Path, claims: Sequence[Mapping[str, Any]] = CLAIMS, *, swapped: bool = False) -> Path:
    """A finished run of those claims. `swapped`: each arm has the figures of the other one."""
    _write(folder / "experiments", {name: dict(asked) for name, asked in EXPERIMENTS.items()})
    _write(folder / "statements", {each["claim"]: {**LEAST, **each} for each in claims})
    (folder / claims_run.NAME).write_text(json.dumps(_registered([each["claim"] for each in claims])))
    (folder / judged_run.MISSING).write_text(json.dumps({"C5t": NO_LOCK}))
    (folder / judged_run.COUNTS).mkdir()
    (folder / judged_run.COUNTS / "styles-1.json").write_text(json.dumps(COUNTED))
    for name in EXPERIMENTS:
        asked = read_experiment(folder / reading.EXPERIMENTS.name / f"{name}.yaml")
        _measure(folder / judged_run.RUNS / name, asked, swapped=swapped)
    return folder


def _write(folder: Path, files: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def _registered(names: Sequence[str]) -> dict[str, Any]:
    """All of them were committed before the run but C36."""
    commit = {"commit": "4315dd8ef8493caac47046c2d4d9400a297473b3", "committed_at": "2026-11-27T09:53:10+00:00"}
    return {
        "version": claims_run.VERSION,
        "began": "2026-11-27T10:00:00Z",
        "despite_noise": False,
        "claims": {name: {"sha256": "5dd1e4c726ebdaca" * 4, **commit, "clean": name != "C36"} for name in names},
    }


def _measure(folder: Path, asked: Experiment, *, swapped: bool) -> None:
    folder.mkdir(parents=True)
    described = {"cpu": "AMD EPYC 7B13", "cpus": 2, "python": "CPython 3.11.7", "git_revision": "8fa8a85c0ffee"}
    (folder / "environment.json").write_text(json.dumps(described))
    arms = list(asked.arms)
    names = dict(zip(arms, reversed(arms) if swapped else arms, strict=True))
    for number in range(1, ROUNDS + 1):
        for arm, started in asked.arms.items():
            for point in asked.points:
                identity = TrialId(names[arm], point.name, number)
                if folder.name == "noisy":
                    write_void(folder, identity, "other processes took 30 % of the CPU")
                else:
                    write_trial(folder, replace(_trial(started.model, point, number), id=identity))
    if folder.name == "block":
        (folder / "report.html").write_text("<!doctype html><title>block</title>")


def _trial(model: str, point: Point, number: int) -> Trial:
    """Of 1,000 calls; a blocking one makes those behind it in the loop wait."""
    dice = random.Random(f"{model}{point.name}{number}")
    waits_ms = 50 * dice.uniform(0.95, 1.05) if model == "reactor" else 1.5 * dice.uniform(0.95, 1.05)
    kinds = {"innocent": sample.kind(*[1.0] * 180, *[waits_ms] * 20), "blocking": sample.kind(*[50.0] * 100)}
    answered = round(1000 * dice.uniform(0.995, 1.005))
    got = {"answered": answered, "rate_rps": answered / sample.DURATION_S}
    made = sample.trial(model, point.connections, number, kinds=kinds, got=got)
    made.after.pss_bytes += point.idle * (90_000 if model == "thread_per_connection" else 12_000)
    made.after.lost_updates = 0 if model == "reactor" else 40
    return replace(sample.at(point, made), load=point.values)


if __name__ == "__main__":
    print(page.write(make(Path(sys.argv[1]))))
