"""The cluster that the tests of this folder run in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.cluster.runs import succeed
from tests.tools.fake_cluster import FakeCluster
from tests.tools.merging import merge_in_this_process
from tools.cluster import trial


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    merge_in_this_process(monkeypatch)
    monkeypatch.setattr(trial, "_LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(trial, "PENDING_S", 0.05)
    fake = FakeCluster(succeed)
    fake.deploy("reactor", "thread_pool")
    with fake.running(tmp_path) as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield fake
