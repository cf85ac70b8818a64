"""A run in a fake cluster, and what its shards store, for all tests of this folder."""

import copy
import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from sweetspot.v1.control_pb2 import SnapshotReply

from tests.driver.runs import shard_results
from tests.tools.fake_cluster import OURS, FakeCluster, Object
from tools import cli
from tools.cluster import job, trial
from tools.cluster.api import Api
from tools.cluster.release import Release
from tools.cluster.run import Cluster
from tools.local import Programs
from tools.results import TrialId

MINE = "title: Why?\nmodels: [{models}]\nconnections: [{connections}]\nplan: {{}}\nrounds: {rounds}\n{more}"


NAMED = {"trial": "reactor-3-1", "model": "reactor", "load": {"connections": 3}}


ROOT = Path(__file__).parents[3]


results_of = cache(shard_results)
"""Of so many shards. They make a real load, of 0.5 s each."""


def parts(shards: int, **changes: Any) -> list[Object]:
    """What the shards of one trial would store."""
    snapshot = json_format.MessageToDict(SnapshotReply(model="reactor"), preserving_proto_field_name=True)
    there = {"name": "here", "node": "n1", "ready_monotonic_ns": None, "went": False}
    service: Object = {"before": snapshot, "after": snapshot, "pods": [there], "void": []}
    nothing: Object = {"before": None, "after": None, "pods": [], "void": []}
    asked = MINE.format(models="reactor", connections="3", rounds=1, more="")
    common = {"driver_cpus": 0.5, "spans": {}, "experiment": asked, **changes}
    return [
        {
            "trial": "reactor-3-1",
            "model": "reactor",
            "load": {"connections": 3},
            **(nothing if number else service),
            **common,
            "result": result,
        }
        for number, result in enumerate(copy.deepcopy(results_of(shards)))
    ]


def succeed(cluster: FakeCluster, made: Object) -> None:
    """All shards store what they got."""
    trial_ = TrialId.parse(job.named_by(made["metadata"]["labels"]["sweetspot.dev/trial"]))
    for number, part in enumerate(parts(made["spec"]["completions"])):
        cluster.keep_part(
            made,
            {**part, "trial": str(trial_), "model": trial_.arm, "load": {"connections": int(trial_.point)}},
            str(number),
        )
    cluster.end_job(made)


def run(
    folder: Path, *flags: str, models: str = "reactor", connections: str = "3", rounds: int = 1, more: str = ""
) -> int:
    path = folder / "mine.yaml"
    path.write_text(MINE.format(models=models, connections=connections, rounds=rounds, more=more))
    return cli.main(["run", str(path), "--cluster", "--results", str(folder / "results"), *flags])


def cluster_setup(notify: Callable[[str], None] = lambda _: None) -> trial.ClusterSetup:
    found = Cluster(Release(Api.connect(), "sweetspot"), run="mine", programs=Programs(), shards=2).setup
    return dataclasses.replace(found, notify=notify)


def only(folder: Path) -> Path:
    (found,) = (folder / "results").iterdir()
    return found


UNHEARD = "pod load-0 on n1: the node no longer reports its state; try: kubectl describe node n1"


def keep_a_part(cluster: FakeCluster, made: Object, part: Object) -> None:
    cluster.keep_part(made, part, "0")
    cluster.end_job(made)


LABELS = {**OURS, "sweetspot.dev/trial": "reactor-3-1"}
