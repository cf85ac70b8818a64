"""The load Job of a trial, and what of it fits into the cluster."""

import json
import os

import pytest
import yaml

from tests.tools.cluster.runs import LABELS, ROOT, parts
from tests.tools.fake_cluster import FakeCluster
from tools.cluster import job, store
from tools.cluster.api import Api
from tools.cluster.examples import EXAMPLES
from tools.results import TrialId


def test_the_example_jobs_are_those_that_runs_make() -> None:
    committed = {path.stem: path.read_text() for path in (ROOT / "k8s/examples").iterdir()}
    assert committed == {name: example.text(name) for name, example in EXAMPLES.items()}, (
        "changed: see `make manifests`"
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_shard_is_run_twice_or_for_ever(name: str) -> None:
    spec = yaml.safe_load(EXAMPLES[name].text(name))["spec"]
    assert (spec["completionMode"], spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == ("Indexed", 0, 0)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["ttlSecondsAfterFinished"] > 0


@pytest.mark.parametrize("run_name", ["a", "a-very-long-name-of-an-experiment-20261123t100000z", "x" * 60])
def test_a_pod_s_host_name_is_never_too_long(run_name: str) -> None:
    name = job.job_name(run_name, TrialId("thread_per_connection", "100000"))
    assert len(f"{name}-99999") <= 63
    assert name[0].isalnum()


def test_ten_thousand_traced_calls_fit_into_a_config_map(cluster: FakeCluster) -> None:
    calls = [
        {"trace_id": os.urandom(16).hex(), "latency_ns": int.from_bytes(os.urandom(4)), "status": "OK"}
        for _ in range(10_000)
    ]
    part = parts(1)[0]
    part["result"]["traces"] = calls
    store.save_part(Api.connect(), LABELS, "big", part)
    (kept,) = (each for each in cluster.objects["configmaps"].values() if "labels" in each["metadata"])
    assert len(json.dumps(kept)) < 1 << 20
