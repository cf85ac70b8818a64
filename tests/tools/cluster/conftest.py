"""The cluster that the tests of this folder run in."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.cluster.runs import succeed
from tests.tools.fake_cluster import FakeCluster, Object
from tests.tools.merging import merge_in_this_process
from tools.cluster import trial


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    merge_in_this_process(monkeypatch)
    monkeypatch.setattr(trial, "_LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(trial, "PENDING_S", 0.05)
    monkeypatch.setattr(trial, "LAST_PARTS_S", 0.05)
    fake = FakeCluster(succeed)
    fake.deploy("reactor", "thread_pool")
    with fake.running(tmp_path) as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield fake


class Quiet:
    """Watches that see nothing for as long as the test lasts."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __iter__(self) -> Iterator[tuple[int, list[Object]]]:
        return self

    def __next__(self) -> tuple[int, list[Object]]:
        self.over.wait()
        return 200, [{}]


@pytest.fixture
def quiet(cluster: FakeCluster) -> Iterator[None]:
    cluster.watched = watched = Quiet()
    ending = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, ending)
    watched.over.set()
