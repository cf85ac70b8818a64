"""A shard that runs in this process, between a fake cluster and a real service of this machine."""

import base64
import gzip
import json

import pytest

from tests.tools.fake_cluster import OURS, FakeCluster, Object, labels_of_model, pod
from tools.address import Address
from tools.cluster import shard

ARGUMENTS = ("--release=sweetspot", "--first=sweetspot", "--trial=reactor-2-1", "--shards=1", "--balance=cluster-ip")
ENVIRON = {
    "JOB_COMPLETION_INDEX": "0",
    "JOB": "mine-reactor-2-1",
    "RUN": "mine",
    "TRIAL": "reactor-2-1",
    "POD_UID": "12345678-9",
    "NODE": "n1",
    "CPU_MILLIS": "500",
}


def lead_to(cluster: FakeCluster, address: str, control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reactor's pod is a service on this machine, and so are its ports."""
    monkeypatch.setattr(shard, "CONTROL_PORT", Address.parse(control).port)
    monkeypatch.setattr(shard, "target", lambda *_: address)
    cluster.objects["pods"].clear()
    cluster.put("pods", pod("r", labels_of_model("reactor"), podIP="127.0.0.1"))


def stored_parts(cluster: FakeCluster) -> list[Object]:
    """The parts that shards have stored."""
    maps = [each for each in cluster.objects["configmaps"].values() if "binaryData" in each]
    assert all(each["metadata"]["labels"].items() >= OURS.items() for each in maps)
    return [json.loads(gzip.decompress(base64.b64decode(each["binaryData"]["part.json.gz"]))) for each in maps]
