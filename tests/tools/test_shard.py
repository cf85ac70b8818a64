"""What a shard knows of the pods that it loads, even if its watch ends: it misses nothing, or the trial is void."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from sweetspot.v1.control_pb2 import SnapshotReply

from tests.tools.fake_cluster import FakeCluster, Object, container, labels_of_model, pod
from tools.cluster import shard
from tools.cluster.api import Api, ClusterError
from tools.cluster.shard import PodCounters, PodWatch, others_share, spans_between, wait_for_name, wait_for_pods

LABELS = labels_of_model("reactor")
EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "message": "too old resource version", "code": 410}}
Watched = tuple[int, list[Object]]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    monkeypatch.setattr(shard, "_LOOK_AGAIN_S", 0.01)
    fake = FakeCluster(lambda *_: None)
    fake.put("pods", pod("r", LABELS))
    with fake.running(tmp_path) as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield fake


def watch() -> PodWatch:
    return PodWatch(Api.connect(), LABELS)


def until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def kill(cluster: FakeCluster) -> None:
    again = {**container(running={}), "restartCount": 1}
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    cluster.put("pods", pod("r", LABELS, containerStatuses=[{**again, "lastState": killed}]))


def remove(cluster: FakeCluster) -> None:
    cluster.objects["pods"].clear()


@pytest.mark.parametrize("end", [(429, [EXPIRED["object"]]), (200, [EXPIRED]), (503, [{}]), (200, [])])
@pytest.mark.parametrize(
    ("happens", "mishap"),
    [(kill, "pod r on n1 was OOMKilled"), (remove, "pod r on n1 ended while the watch was interrupted")],
)
def test_what_happens_after_a_watch_was_ended_is_seen_all_the_same(
    end: Watched, happens: Callable[[FakeCluster], None], mishap: str, cluster: FakeCluster
) -> None:
    def story() -> Iterator[Watched]:
        happens(cluster)
        yield end

    cluster.watched = story()
    pods = watch()
    until(lambda: pods.pods()[0].mishaps == [mishap])


def test_a_pod_that_was_asked_to_go_and_is_no_more_is_no_mishap(cluster: FakeCluster) -> None:
    def story() -> Iterator[Watched]:
        gone = cluster.objects["pods"].pop("r")
        yield 200, [{"type": "DELETED", "object": gone}]

    cluster.watched = story()
    pods = watch()
    until(lambda: pods.unwatched)
    (seen,) = pods.pods()
    assert (seen.went, seen.mishaps) == (True, [])


BOTH: shard.PodCounters = {"r": SnapshotReply()}


def test_a_trial_whose_pods_nobody_watches_any_more_is_void(cluster: FakeCluster) -> None:
    pods = watch()
    until(lambda: pods.unwatched)
    assert shard.pods_part(pods, pods, BOTH, BOTH)["void"] == ["pods could not be watched: KeyError: 'type'"]


NONE_STAYED = ["no pod of the service ran from the first mark to the last, so its CPU and memory use is unknown"]

SILENT = ["pod r on n1 stopped answering: no answer"]


@pytest.mark.parametrize(
    ("before", "after", "void"),
    [(BOTH, BOTH, []), (BOTH, {}, NONE_STAYED), ({}, BOTH, NONE_STAYED), (BOTH, {"r": "no answer"}, SILENT)],
)
def test_a_service_of_which_no_pod_stayed_has_not_used_nothing(
    before: PodCounters, after: PodCounters, void: list[str], cluster: FakeCluster
) -> None:
    over = threading.Event()

    def quiet() -> Iterator[Watched]:
        over.wait()
        yield 200, [{}]

    cluster.watched = quiet()
    pods = watch()
    try:
        found = shard.pods_part(pods, pods, before, after)["void"]
    finally:
        over.set()
    assert list(dict.fromkeys(found)) == void  # the pod is reported as one of the backend's too


def reading(busy_s: float, used_s: float, at_s: float, limit_cpus: float = 1.0) -> SnapshotReply:
    second = 1_000_000_000
    return SnapshotReply(
        monotonic_ns=round(at_s * second),
        cpu_user_ns=round(used_s * second),
        node={"busy_ns": round(busy_s * second), "cpus": 2},
        throttling={"quota_cpus": limit_cpus},
    )


@pytest.mark.parametrize(
    ("after", "taken"),
    [
        ({"a": reading(10, 5, 10)}, 0.0),
        ({"a": reading(20, 5, 10)}, 0.5),
        ({"a": reading(20, 5, 10), "b": reading(20, 8, 10)}, 0.5),
        ({"a": reading(20, 5, 10), "b": "no answer"}, 0.5),
        ({"a": SnapshotReply()}, None),
        ({}, None),
    ],
    ids=[
        "a quiet node",
        "half of it is taken",
        "the worse of two nodes",
        "one left",
        "an older service",
        "none stayed",
    ],
)
def test_what_others_took_of_a_service_is_told_of_the_node_where_they_took_most(
    after: PodCounters, taken: float | None
) -> None:
    before: PodCounters = {"a": reading(0, 0, 0), "b": reading(0, 0, 0)}
    assert others_share({"a": "n1", "b": "n2"}, before, after) == taken


def spans(made: int, model: str = "thread_pool") -> SnapshotReply:
    return SnapshotReply(
        model=model, spans={"made": 2 * made, "exported": made, "dropped": made, "lost": {"timeout": made}}
    )


@pytest.mark.parametrize(
    ("after", "made"),
    [
        ({"a": spans(210), "b": spans(160)}, 20),
        ({"a": spans(210), "b": "no answer"}, 10),
        ({"a": spans(210), "b": spans(4)}, 10),
        ({"a": spans(210), "b": spans(160), "c": spans(500)}, 20),
    ],
    ids=["all stayed", "one left", "one began anew", "one came"],
)
def test_spans_are_counted_of_those_pods_that_stayed(after: PodCounters, made: int) -> None:
    before: PodCounters = {"a": spans(200), "b": spans(150)}
    grown = {"made": 2 * made, "exported": made, "dropped": made, "lost": {"timeout": made}}
    assert spans_between(before, after) == {"thread-pool": grown}


NOT_READY = {"conditions": [{"type": "Ready", "status": "False"}]}


def ending(name: str) -> Object:
    made = pod(name, LABELS)
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return made


@pytest.mark.parametrize(
    ("pods", "waits_for"),
    [
        ([pod("r", LABELS)], None),
        ([pod("r", LABELS), pod("s", LABELS)], None),
        ([], "no pod exists"),
        ([pod("r", LABELS, **NOT_READY), pod("s", LABELS)], "r"),
        ([ending("r"), pod("s", LABELS)], "r"),
        ([ending("r"), pod("s", LABELS, **NOT_READY)], "r, s"),
    ],
    ids=["ready", "both ready", "none", "one starts", "an old one ends", "an old one ends and a new one starts"],
)
def test_a_shard_waits_until_all_pods_of_the_service_are_new_and_ready(
    pods: list[Object], waits_for: str | None, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(cluster)
    for each in pods:
        cluster.put("pods", each)
    monkeypatch.setattr(shard, "PODS_TIMEOUT_S", 0.05)
    waiting = pytest.raises(ClusterError, match=f": {waits_for}$") if waits_for else nullcontext()
    with waiting:
        wait_for_pods(Api.connect(), LABELS)


A, B = {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, {"podIPs": [{"ip": "10.0.0.2"}, {"ip": "fd00::2"}]}
ONLY_IPV6 = {"podIP": "fd00::1", "podIPs": [{"ip": "fd00::1"}]}


@pytest.mark.parametrize(
    ("pods", "found", "leads"),
    [
        ([A, B], ["10.0.0.1", "10.0.0.2"], True),
        ([A, B], ["fd00::1", "fd00::2"], True),
        ([A, B], ["10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2"], True),
        ([ONLY_IPV6], ["fd00::1"], True),
        ([A, B], ["10.0.0.1", "fd00::1"], False),
        ([A], ["10.0.0.1", "10.0.0.2"], False),
    ],
    ids=["IPv4", "IPv6", "both", "a cluster of IPv6 alone", "a pod is missing", "a pod that has gone"],
)
def test_a_headless_name_leads_to_the_pods_by_whichever_family_it_names(
    pods: list[dict[str, object]],
    found: list[str],
    leads: bool,
    cluster: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remove(cluster)
    for number, status in enumerate(pods):
        cluster.put("pods", pod(f"r{number}", LABELS, **status))
    monkeypatch.setattr(shard, "NAMES_TIMEOUT_S", 10.0 if leads else 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (each, 50051)) for each in found])
    waiting = nullcontext() if leads else pytest.raises(ClusterError, match=r"^Service r-headless did not resolve")
    api = Api.connect()
    monkeypatch.setattr(api, "select", lambda kind, _selector: list(cluster.objects[kind].values()))
    with waiting:
        wait_for_name(api, LABELS, "r-headless:50051", headless=True)


def test_a_pod_of_ipv6_is_asked_at_an_address_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(shard, "ControlClient", asked.append)
    monkeypatch.setattr(shard.Counters, "read", lambda _: {})
    shard.Counters({"r": "fd00::1", "s": "10.0.0.1"})
    assert asked == ["[fd00::1]:50052", "10.0.0.1:50052"]
