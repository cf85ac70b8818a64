"""What runs in a driver's pod: one shard of one trial, from the service's name to a result that outlives the pod.

    all shards   wait until the pods of the service are ready and its name resolves to them, then run the driver
                 (if the rate depends on the capacity, they measure that before: tools/cluster/capacity.py)
    shard 0      also watches the pods of service and backend, and reads their counters at the driver's marks
    all shards   store their part in a ConfigMap, print the driver's table, and end as the driver ended

The trial is void if a pod of service or backend was killed, crashed or stopped answering: the load then measured that
event. It is also void if the pods could not be watched, or if no pod of the service ran all the time. A pod that was
asked to end, or that was added, is only recorded. A shard that is itself asked to end stores a part that makes the
trial void. Must not know which process started the Job: it may have ended.
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import yaml
from google.protobuf import json_format
from msgspec.structs import replace
from sweetspot.v1.control_pb2 import SnapshotReply

from tools import experiment, local
from tools.address import Address
from tools.busy_machine import taken_share
from tools.cluster import stopped_shard, store
from tools.cluster.api import Api, ClusterError, Object
from tools.cluster.capacity import closed_loop_rps, total
from tools.cluster.pods import how_it_ended, ready
from tools.cluster.release import BARRIER_PORT, CONTROL_PORT, Release, dns, target
from tools.control import ControlClient
from tools.experiment import BadExperimentError, Experiment, Point
from tools.local import LocalError, Programs, started
from tools.results import TrialId
from tools.slices import GRACE_S, OPENING_TIMEOUT_S
from tools.snapshots import together
from tools.trial import label_flags, load_flags
from tools.trial_specs import spec_of

PODS_TIMEOUT_S = 150.0
"""Time for the service's pods to be ready: the Job is created when they begin to start (tools/cluster/trial.py)."""
NAMES_TIMEOUT_S = 45.0
"""Time for DNS and the network to follow the pods. CoreDNS caches an answer for 5 s."""
BARRIER_TIMEOUT_S = 60.0
"""Time to wait for the other shards: images are pulled and pods are placed one by one."""
SPANS_TIMEOUT_S = 5.5
"""Time for services to export their spans: they export twice a second, and wait 5 s for a collector."""
_LOOK_AGAIN_S = 0.25
_SPANS = ("made", "exported", "dropped")

PodCounters = dict[str, SnapshotReply | str]
"""Pod -> its counters, or why there are none."""


@dataclass(slots=True)
class PodRecord:
    """A pod, and what happened to it since it was first seen."""

    name: str
    node: str
    ip: str
    restarts: int
    ready: bool = False
    ready_monotonic_ns: int | None = None
    """When it was seen to become ready; None for one that was ready from the start."""
    went: bool = False
    """It was asked to end."""
    gone: bool = False
    """It no longer exists."""
    mishaps: list[str] = field(default_factory=list)


class PodWatch:
    """Pods, watched by a thread until the process ends."""

    def __init__(self, api: Api, selector: Mapping[str, str]) -> None:
        """Raises ClusterError."""
        self._api = api
        self._selector = selector
        self._lock = threading.Lock()
        self._seen: dict[str, PodRecord] = {}
        self.unwatched: str | None = None
        """Why the state of the pods is not known at the moment; None if it is known."""
        self._look(None)
        threading.Thread(target=self._follow, daemon=True).start()

    def pods(self) -> list[PodRecord]:
        """All pods that existed at any time, sorted by name."""
        with self._lock:
            return [self._seen[name] for name in sorted(self._seen)]

    def _follow(self) -> None:
        while True:
            try:
                version = self._look(time.monotonic_ns())
                self.unwatched = None
                for what, pod in self._api.watch("pods", self._selector, version):
                    self._note(pod, time.monotonic_ns(), gone=what == "DELETED")
            except ClusterError as error:
                self.unwatched = str(error)
                time.sleep(_LOOK_AGAIN_S)
            except Exception as error:  # an unknown error: the pods are not watched from here on
                self.unwatched = f"{type(error).__name__}: {error}"
                return

    def _look(self, now_ns: int | None) -> str:
        """Notes all pods, and which noted pods no longer exist. Returns the list's version. Raises ClusterError."""
        pods, version = self._api.select_as_of("pods", self._selector)
        for pod in pods:
            self._note(pod, now_ns)
        there = {pod["metadata"]["name"] for pod in pods}
        with self._lock:
            for seen in self._seen.values():
                if seen.name not in there and not seen.gone:
                    seen.gone = True
                    if not seen.went:
                        seen.mishaps.append(f"pod {seen.name} on {seen.node} ended while the watch was interrupted")
        return version

    def _note(self, pod: Object, now_ns: int | None, *, gone: bool = False) -> None:
        name, status = pod["metadata"]["name"], pod["status"]
        containers = status.get("containerStatuses", [])
        restarts = sum(each["restartCount"] for each in containers)
        with self._lock:
            seen = self._seen.setdefault(name, PodRecord(name, "", "", restarts))
            seen.node, seen.ip = pod["spec"].get("nodeName", ""), status.get("podIP", "")
            seen.gone = gone
            seen.went = seen.went or gone or "deletionTimestamp" in pod["metadata"]
            if ready(pod) and not seen.ready:
                seen.ready, seen.ready_monotonic_ns = True, now_ns
            ends = [each["state"].get("terminated") for each in containers]
            if restarts > seen.restarts:
                ends += [each.get("lastState", {}).get("terminated") for each in containers]
                seen.restarts = restarts
            for end in ends:
                # A pod that is asked to end does so with status 0. One that was not asked should not end at all.
                if end and (end["exitCode"] != 0 or not seen.went):
                    mishap = f"pod {name} on {seen.node} {how_it_ended(end)}"
                    seen.mishaps += [mishap] if mishap not in seen.mishaps else []


class Counters:
    """The control ports of pods. All are read at the same time, so a slow answer does not delay the others."""

    def __init__(self, pods: Mapping[str, str]) -> None:
        """`pods`: name -> IP address."""
        self._controls = {name: ControlClient(str(Address(ip, CONTROL_PORT))) for name, ip in pods.items()}
        self._threads = ThreadPoolExecutor(max(len(self._controls), 1))
        self.read()  # opens the channels, so that the reading at the mark is not late

    def read(self) -> PodCounters:
        """Their counters now, with the time of this host's clock, which the driver uses too."""
        return dict(zip(self._controls, self._threads.map(self._read, self._controls.values()), strict=True))

    @staticmethod
    def _read(control: ControlClient) -> SnapshotReply | str:
        try:
            reply = control.snapshot()
        except LocalError as error:
            return str(error)
        reply.monotonic_ns = time.monotonic_ns()
        return reply


class SpanTally:
    """What happened to the spans that services made between now and `counts`, by the service's name in traces.

    Each pod is counted alone. A pod that ended, or whose process was replaced, is left out of both counts.
    """

    def __init__(self, api: Api, selector: Mapping[str, str]) -> None:
        """Raises ClusterError."""
        pods = [pod for pod in api.select("pods", selector) if ready(pod)]
        self._counters = Counters({pod["metadata"]["name"]: pod["status"]["podIP"] for pod in pods})
        self._before = self._counters.read()

    def counts(self, deadline_s: float) -> dict[str, dict[str, Any]]:
        """The counts when every span is exported or dropped, or when the monotonic clock is past `deadline_s`."""
        while True:
            grown = spans_between(self._before, self._counters.read())
            settled = all(each["made"] == each["exported"] + each["dropped"] for each in grown.values())
            if settled or time.monotonic() > deadline_s:
                return grown
            time.sleep(_LOOK_AGAIN_S)


def spans_between(before: PodCounters, after: PodCounters) -> dict[str, dict[str, Any]]:
    """For each service, the spans that its pods made, exported and dropped in between. Only pods that stayed count."""
    counts: dict[str, dict[str, Any]] = {}
    for name, now in after.items():
        then = before.get(name)
        if not (isinstance(then, SnapshotReply) and isinstance(now, SnapshotReply)):
            continue
        grown = {what: getattr(now.spans, what) - getattr(then.spans, what) for what in _SPANS}
        if min(grown.values()) < 0:  # its counters were reset
            continue
        whole = counts.setdefault(dns(now.model), {**dict.fromkeys(_SPANS, 0), "lost": {}})
        for what in _SPANS:
            whole[what] += grown[what]
        whole["lost"] = dict(Counter(whole["lost"]) + Counter(now.spans.lost) - Counter(then.spans.lost))
    return counts


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ, programs: Programs = Programs()) -> int:  # noqa: B008  (it is frozen)
    """Runs the shard. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster.shard", allow_abbrev=False)
    parser.add_argument("--release", required=True)
    parser.add_argument("--first", required=True)
    parser.add_argument("--trial", required=True, type=TrialId.parse)
    parser.add_argument("--shards", required=True, type=int)
    parser.add_argument("--balance", required=True)
    args = parser.parse_args(arguments)
    # The first process of a container ignores signals that it does not handle (pid_namespaces(7)).
    signal.signal(signal.SIGTERM, _end)
    try:
        asked = experiment.parse(environ["EXPERIMENT"], "EXPERIMENT")
        release = Release(Api.connect(), args.release)
        return _run(args, asked, release, environ, programs)
    except (BadExperimentError, ClusterError, LocalError, ValueError) as error:
        print(f"tools.cluster.shard: {error}", file=sys.stderr)
        return 2


def _run(
    args: argparse.Namespace, asked: Experiment, release: Release, environ: Mapping[str, str], programs: Programs
) -> int:
    index = int(environ["JOB_COMPLETION_INDEX"])
    wanted = spec_of(asked, args.trial)
    selector = release.of_model(wanted.arm.model)
    address = target(args.first, wanted.arm.model, args.balance)
    wait_for_pods(release.api, selector)
    wait_for_name(release.api, selector, address, headless=args.balance != "cluster-ip")
    # One shard is enough to watch them. The service comes first.
    answering = (selector, release.labels("backend")) if index == 0 else ()
    watches = [PodWatch(release.api, each) for each in answering]
    barrier = Address(f"{environ['JOB']}-0.{args.first}-driver", BARRIER_PORT)
    labels = {**release.labels("driver"), store.RUN_LABEL: environ["RUN"], store.TRIAL_LABEL: environ["TRIAL"]}
    # With the pod's uid: if the shard is ever started twice, both results are there, and the trial is void.
    name = f"{environ['JOB']}-{index}-{environ['POD_UID'][:8]}"
    with TemporaryDirectory(prefix="sweetspot-") as scratch:
        plan, out = Path(scratch, "plan.yaml"), Path(scratch, "result.json")
        plan.write_text(yaml.safe_dump(asked.calls_of(wanted.arm)), encoding="utf-8")
        driving = [*programs.driver, "--address", address, "--balance", args.balance, "--plan", str(plan)]
        driving += ["--out", str(out), *label_flags(environ["RUN"], wanted)]
        if args.shards > 1:
            driving += ["--shard", f"{index}/{args.shards}", "--barrier", str(barrier)]
            driving += ["--barrier-timeout", str(BARRIER_TIMEOUT_S)]
        capacity_rps = None
        if wanted.point.rate_of_capacity is not None:
            closed = [*driving, *_closed_loop(asked, wanted.point)]
            own_rps = closed_loop_rps(closed, out, _longest_s(asked.at(wanted.point)))
            capacity_rps = total(own_rps, index, args.shards, barrier, BARRIER_TIMEOUT_S)
            print(f"capacity: {capacity_rps:.1f} calls/s", flush=True)
        with started("driver", [*driving, *load_flags(asked, wanted.point.at_capacity(capacity_rps))]) as driver:
            try:
                tallies = [SpanTally(release.api, each) for each in answering]
                counted = _counted(driver, asked, watches)
                driver.expect("answered", asked.load.timeout_s + GRACE_S)
                # The driver exports its spans at the same time as the services theirs.
                deadline_s = time.monotonic() + SPANS_TIMEOUT_S
                printed = driver.finish(GRACE_S)
            except SystemExit:
                why = stopped_shard.reason(driver, out, f"shard {index} of {args.shards} on {environ['NODE']}")
                store.save_part(release.api, labels, name, {"trial": str(wanted.id), "void": [why]})
                raise
        spans = {name: counts for tally in tallies for name, counts in tally.counts(deadline_s).items()}
        result = json.loads(out.read_text(encoding="utf-8"))
    part = {
        "trial": str(wanted.id),
        "model": wanted.arm.model,
        "load": wanted.point.values,
        "experiment": environ["EXPERIMENT"],
        "result": result,
        "driver_cpus": int(environ["CPU_MILLIS"]) / 1000,
        "capacity_rps": capacity_rps,
        "spans": spans,
        **counted,
    }
    store.save_part(release.api, labels, name, part)
    print("\n".join(printed[:-1]), flush=True)  # all but where the driver put its file
    print(f"stored as ConfigMap {name}", flush=True)
    for why in part["void"]:
        print(f"void: {why}", flush=True)
    return 0


def _closed_loop(asked: Experiment, point: Point) -> list[str]:
    """The driver's flags for the same load as a closed loop. Its calls make no spans."""
    return load_flags(replace(asked, trace_ratio=0.0), point.closed)


def _longest_s(asked: Experiment) -> float:
    """The longest time that the driver needs for a load."""
    load_s = asked.warmup_s + asked.duration_s + asked.load.timeout_s
    return BARRIER_TIMEOUT_S + OPENING_TIMEOUT_S + load_s + GRACE_S


def _counted(driver: local.Process, asked: Experiment, watches: Sequence[PodWatch]) -> dict[str, Any]:
    """What shard 0 knows about service and backend after the measurement. The other shards know nothing."""
    counters = Counters({pod.name: pod.ip for watch in watches for pod in watch.pods() if pod.ready})
    driver.expect("measuring", asked.warmup_s + BARRIER_TIMEOUT_S + OPENING_TIMEOUT_S)
    print("measuring", flush=True)
    before = counters.read()
    driver.expect("measured", asked.duration_s + GRACE_S)
    print("measured", flush=True)
    after = counters.read()
    if not watches:
        return {"before": None, "after": None, "pods": [], "void": [], "others_share": None}
    service, backend = watches
    return pods_part(service, backend, before, after)


def pods_part(service: PodWatch, backend: PodWatch, before: PodCounters, after: PodCounters) -> dict[str, Any]:
    """What happened to the pods, from their counters at the two marks and from the watches until now."""
    unwatched = next((watch.unwatched for watch in (service, backend) if watch.unwatched), None)
    pods = service.pods()
    both = [
        pod.name
        for pod in pods
        if isinstance(before.get(pod.name), SnapshotReply) and isinstance(after.get(pod.name), SnapshotReply)
    ]
    void = [why for pod in [*pods, *backend.pods()] for why in _why_void(pod, after.get(pod.name))]
    if unwatched:
        void.append(f"pods could not be watched: {unwatched}")
    elif not (void or both):
        void.append("no pod of the service ran from the first mark to the last, so its CPU and memory use is unknown")
    return {
        "before": _whole([before[name] for name in both]),
        "after": _whole([after[name] for name in both]),
        "pods": [
            {"name": pod.name, "node": pod.node, "ready_monotonic_ns": pod.ready_monotonic_ns, "went": pod.went}
            for pod in pods
        ],
        "void": void,
        "others_share": others_share({pod.name: pod.node for pod in pods}, before, after),
    }


def others_share(nodes: Mapping[str, str], before: PodCounters, after: PodCounters) -> float | None:
    """The share of the service's CPUs that others took, on the node where they took most; None if it is not known.

    `nodes`: pod -> node. Everything else on a node counts as others, the driver and the backend too.
    """
    of_node: dict[str, list[tuple[SnapshotReply, SnapshotReply]]] = {}
    for name, node in nodes.items():
        then, now = before.get(name), after.get(name)
        if isinstance(then, SnapshotReply) and isinstance(now, SnapshotReply) and now.HasField("node"):
            of_node.setdefault(node, []).append((then, now))
    return max((_taken_on_node(pods) for pods in of_node.values()), default=None)


def _taken_on_node(pods: Sequence[tuple[SnapshotReply, SnapshotReply]]) -> float:
    then, now = pods[0]
    limits = sum(later.throttling.quota_cpus or later.node.cpus for _, later in pods)
    return taken_share(
        others_ns=now.node.busy_ns
        - then.node.busy_ns
        - sum(_used_ns(later) - _used_ns(earlier) for earlier, later in pods),
        elapsed_ns=now.monotonic_ns - then.monotonic_ns,
        processors=now.node.cpus,
        cpus=min(limits, now.node.cpus),
    )


def _used_ns(reply: SnapshotReply) -> int:
    return reply.cpu_user_ns + reply.cpu_system_ns


def _why_void(pod: PodRecord, counters: SnapshotReply | str | None) -> list[str]:
    if not pod.mishaps and not pod.went and isinstance(counters, str):
        return [f"pod {pod.name} on {pod.node} stopped answering: {counters}"]
    return pod.mishaps


def _whole(replies: Sequence[Any]) -> Any:
    if not replies:
        return {}
    return json_format.MessageToDict(together(replies), preserving_proto_field_name=True)


def wait_for_pods(api: Api, selector: Mapping[str, str]) -> None:
    """Waits until there are pods and all of them are ready: old ones have ended. Raises ClusterError."""
    deadline_s = time.monotonic() + PODS_TIMEOUT_S
    while not (pods := api.select("pods", selector)) or not all(map(ready, pods)):
        if time.monotonic() > deadline_s:
            waiting = ", ".join(pod["metadata"]["name"] for pod in pods if not ready(pod)) or "no pod exists"
            raise ClusterError(f"the service was not ready within {PODS_TIMEOUT_S:.0f} s: {waiting}")
        time.sleep(_LOOK_AGAIN_S)


def wait_for_name(api: Api, selector: Mapping[str, str], target: str, *, headless: bool) -> None:
    """Waits until the name resolves to the pods that are ready. If it is one address, waits until that connects.

    Raises ClusterError.
    """
    at = Address.parse(target)
    deadline_s = time.monotonic() + NAMES_TIMEOUT_S
    while time.monotonic() < deadline_s:
        pods = [ips(pod) for pod in api.select("pods", selector) if ready(pod)]
        try:
            found = {each[4][0] for each in socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)}
            if headless and found <= set().union(*pods) and all(found & of_pod for of_pod in pods):
                return
            if pods and not headless:
                socket.create_connection((at.host, at.port), timeout=1).close()
                return
            expected = ", ".join(sorted(set().union(*pods))) or "none"
            why = f"it resolves to {', '.join(map(str, sorted(found)))}, but {expected} are ready"
        except OSError as error:
            why = error.strerror or str(error)
        time.sleep(_LOOK_AGAIN_S)
    raise ClusterError(f"Service {at.host} did not resolve to its pods within {NAMES_TIMEOUT_S:.0f} s: {why}")


def ips(pod: Object) -> set[str]:
    """Each address of a pod: one of each family that its cluster has. A Service may name one family alone."""
    return {str(each["ip"]) for each in pod["status"].get("podIPs", [])} or {str(pod["status"]["podIP"])}


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
