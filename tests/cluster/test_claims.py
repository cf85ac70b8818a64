"""Claims on a real cluster: the verdict on a handler that blocks, from models as they are deployed."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.conftest import DEPLOY_TIMEOUT_S, SMALL, Release
from tests.cluster.runs import trials
from tests.tools.claims.made import in_place, state
from tools import cli
from tools.claims import judged_run, reading

BLOCK = """
title: Who waits, where some calls block their thread?
arms:
  loop: {model: reactor}
  threads: {model: thread_pool}
  stages: {model: seda}
load: {connections: 10, rate_rps: 100, arrival: poisson}
mix:
  innocent: {share: 0.95, steps: [{compute: {rounds: 100}}]}
  blocking: {share: 0.05, steps: [{block: {duration_us: 50000}}]}
warmup_s: 0.5
duration_s: 3
rounds: 8
trace_ratio: 0
"""
CLAIMS = {"C12": ["loop", "threads"], "C13": ["loop", "stages"]}


@pytest.fixture
def deployed(another: Callable[[str], Release]) -> Release:
    """Two models with a CPU each."""
    made = another("claims")
    done = made.cluster.deploy(
        "deploy", *made.flags, "--models", "reactor,thread_pool", *SMALL, "--set", "jaeger.enabled=false"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for model in ("reactor", "thread-pool"):
        # Requests stay as small as they are, so that both fit beside the models of other tests.
        deployment = f"deployment/{made.name}-{model}"
        made.kubectl("set", "resources", deployment, "--limits=cpu=1")
        made.kubectl("rollout", "status", deployment, "--timeout=90s", timeout_s=100)
    return made


@pytest.fixture
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """C12 and C13 of two arms each, in the place of those of the product."""
    in_place(tmp_path, monkeypatch, block=BLOCK, aa=(reading.EXPERIMENTS / "aa.yaml").read_text())
    for name, arms in CLAIMS.items():
        statistic = {"measure": "latency_p99_ns", "of": "innocent", "ratio": arms}
        state(tmp_path, claim=name, statistic=statistic, holds_if={"at_least": 2})
    return tmp_path


@pytest.mark.timeout(DEPLOY_TIMEOUT_S)
def test_a_claim_has_its_verdict_from_what_is_deployed_and_one_of_other_models_says_what_is_missing(
    deployed: Release, claims: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", deployed.cluster.kubeconfig)
    small = ("--driver-cpu", "200m", "--driver-memory", "256Mi", "--rounds", "3", "--despite-noise")
    asked = ["claims", "C12", "C13", "--cluster", *deployed.flags, *small, "--results", str(claims / "results")]
    assert cli.main(asked) == 0, "".join(capsys.readouterr())
    (folder,) = (claims / "results").iterdir()
    verdicts = {each.claim.claim: each.verdict for each in judged_run.read(folder).judged}
    # What others do on this machine may leave it open; it is no reason to measure again.
    assert verdicts["C12"].word in {"holds", "does not hold", "not distinguishable"}
    assert verdicts["C12"].rounds == 3
    assert verdicts["C13"].word == "not here"
    assert "model 'seda' is not in release sweetspot" in verdicts["C13"].why
    found = trials(folder / "runs" / "block")
    assert {str(trial.id) for trial in found} == {
        f"{arm}-10-{number}" for arm, number in itertools.product(("loop", "threads"), (1, 2, 3))
    }
    assert all(len(trial.pods) == 1 for trial in found)
