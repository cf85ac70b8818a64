"""One trial in the cluster: its services, a Job that loads them, its result. As `tools/trial.py` is for one machine.

Must not know which trials there are, or where they are stored.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tools.cluster import store
from tools.cluster.api import Api, ClusterError, NoAnswerError, NotThereError, Object
from tools.cluster.job import LoadSettings, manifest
from tools.cluster.pods import Trouble, deletion, node_of, ready, silence, trouble
from tools.cluster.release import Release
from tools.cluster.room import amount
from tools.cluster.store import VoidTrialError
from tools.experiment import Experiment
from tools.local import Programs
from tools.results import Trial, TrialId
from tools.trial_specs import TrialSpec

FRESH_TIMEOUT_S = 150.0
"""Time for pods to drain, end, start and be ready."""
PENDING_S = 30.0
"""A pod that no node had room for in this time needs room that others must free. A node that has not reported for this
time is lost."""
REFUSED_S = 10.0
"""A load whose pods are not created in this time does not wait for an earlier driver: that one has ended. The Job
controller has then tried again after 1, 3 and 7 s (DefaultJobApiBackOff in pkg/controller/job of Kubernetes)."""
OVERDUE_S = 30.0
"""Time after the Job's own deadline. If the Job still runs then, the cluster does not work."""
LAST_PARTS_S = 10.0
"""Grace period of a driver's pod (tools/cluster/job.py). It stores its last part in this time, or never."""
ASK_FOR_LESS = "request less (--driver-cpu, --driver-memory, --shards)"
"""What to do if a load has no room."""
_LOOK_AGAIN_S = 0.25
_GRACE_S = 1
"""Grace period of pods that are replaced before a load: they have no call to finish. Without it, they take 5 s
(preStopSeconds in the chart) and the time of a drain."""
_INDEX = "batch.kubernetes.io/job-completion-index"
_FAILED = ("FailureTarget", "Failed")
"""The second is set when the last pod has ended. It is never set for a pod on a node without power ("Termination of Job
Pods" in kubernetes.io/docs/concepts/workloads/controllers/job)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSetup:
    """What the trials of a run have in common."""

    release: Release
    load: LoadSettings
    programs: Programs
    starts: "Starts | None" = None
    """Restarts services; None: they stay as they are."""
    notify: Callable[[str], None] = lambda _: None
    """Called with a line for what a trial must wait for, as soon as that is known."""


class Starts:
    """The arm and the round for which the pods of each model were started. One start is enough for all points."""

    def __init__(self) -> None:
        self._started: dict[str, tuple[str, int]] = {}

    def replace(self, setup: ClusterSetup, wanted: TrialSpec) -> frozenset[str] | None:
        """Deletes the pods of the model, unless they were started for this arm in this round: then None.

        Returns the uids of the deleted pods. Raises ClusterError.
        """
        model, now = wanted.arm.model, (wanted.id.arm, wanted.id.round)
        if self._started.get(model) == now:
            return None
        self._started[model] = now
        return delete_pods(setup.release, model)

    def forget(self, model: str) -> None:
        """Notes that its pods may have changed since they were started."""
        self._started.pop(model, None)


def measure(setup: ClusterSetup, asked: Experiment, wanted: TrialSpec, *, again: bool = False) -> Trial:
    """The trial. Waits for it if its Job still runs. Does not run it if it is stored completely, unless `again`.

    Raises ClusterError, and VoidTrialError if there was a load but there is no result.
    """
    try:
        return _measured(setup, asked, wanted, again=again)
    except (ClusterError, VoidTrialError):
        if setup.starts is not None:
            setup.starts.forget(wanted.arm.model)
        raise


def _measured(setup: ClusterSetup, asked: Experiment, wanted: TrialSpec, *, again: bool) -> Trial:
    job = manifest(setup.load, asked, wanted)
    name = job["metadata"]["name"]
    if again or not _runs(setup, name):
        try:
            if not again:
                return _stored(setup, wanted.id)
        except VoidTrialError:
            pass
        _begin(setup, job, wanted)
    failure = _await_end(setup, name, job["spec"]["activeDeadlineSeconds"] + OVERDUE_S)
    try:
        return _stored(setup, wanted.id)
    except VoidTrialError as error:
        raise VoidTrialError(f"{failure}; {error}" if failure else str(error)) from None


def _stored(setup: ClusterSetup, trial: TrialId) -> Trial:
    """The stored trial. Raises VoidTrialError if it is not complete, or is no result."""
    return store.assemble(store.parts_of(setup.release.api, setup.load.run, trial), setup.programs)


def _runs(setup: ClusterSetup, name: str) -> bool:
    """Whether the trial's own Job exists and has not ended."""
    api = setup.release.api
    try:
        there = api.get("jobs", name)
    except NotThereError:
        return False
    if there["metadata"].get("labels", {}).get(store.RUN_LABEL) != setup.load.run:
        free = f"kubectl delete job {name} -n {api.namespace}"
        raise ClusterError(f"job {name} in namespace {api.namespace} belongs to another run; try: {free}")
    return _condition(there, "Complete", *_FAILED) is None


def _begin(setup: ClusterSetup, made: Object, wanted: TrialSpec) -> None:
    """Starts the Job, replacing one that has ended. Its drivers start while new pods of the service do."""
    api, name, model = setup.release.api, made["metadata"]["name"], wanted.arm.model
    _check_alone(setup.release, name)
    api.delete("jobs", name)
    _until(
        lambda: not any(each["metadata"]["name"] == name for each in api.select("jobs")),
        FRESH_TIMEOUT_S,
        f"the deletion of job {name}",
    )
    store.delete_parts(api, setup.load.run, wanted.id)
    replicas: int = setup.release.deployment(model)["spec"].get("replicas", 1)
    old = None if setup.starts is None else setup.starts.replace(setup, wanted)
    _check_alone(setup.release, name)  # the deletions took time
    api.create("jobs", made)
    if old is None:
        return
    try:
        await_pods(setup, model, replicas, lambda pod: pod["metadata"]["uid"] not in old)
    except ClusterError:
        api.delete("jobs", name)
        raise


def _check_alone(release: Release, name: str) -> None:
    """Raises ClusterError while another Job loads the release: all models have the same backend."""
    for job in release.api.select("jobs", release.labels("driver")):
        other = job["metadata"]["name"]
        if other != name and _condition(job, "Complete", *_FAILED) is None and not _has_loaded(release.api, job):
            raise ClusterError(
                f"job {other} still loads release {release.name}, and the loads would mix; wait for its end, "
                f"or try: kubectl delete job {other} -n {release.api.namespace}"
            )


def _has_loaded(api: Api, job: Object) -> bool:
    """Whether each shard has stored its result: its load is then over. The Job's status shows it up to 3 s later."""
    completions: int = job["spec"]["completions"]
    return store.parts_stored(api, job) >= completions


def delete_pods(release: Release, model: str) -> frozenset[str]:
    """Deletes the pods of the model, which its Deployment replaces. Returns their uids. Raises ClusterError.

    Pods are deleted, not rolled: a new pod beside the old one would need room for both.
    """
    pods = release.api.select("pods", release.of_model(model))
    for pod in pods:
        release.api.delete("pods", pod["metadata"]["name"], grace_s=_GRACE_S)
    return frozenset(pod["metadata"]["uid"] for pod in pods)


def await_pods(
    setup: ClusterSetup, model: str, replicas: int, wanted: Callable[[Object], bool] = lambda _: True
) -> None:
    """Waits until `replicas` wanted pods of the model are ready and no others are left. Raises ClusterError."""
    release, pending = setup.release, _Pending(setup.notify, PENDING_S)

    def settled() -> bool:
        # The oldest first: if a pod cannot end, this is the reason why the next one has no room.
        pods = sorted(release.api.select("pods", release.of_model(model)), key=_made_at)
        found = [found for pod in pods if (found := trouble(pod))]
        if len(pods) < replicas and (refusal := _refusal_of_pods(release, model)):
            found.append(refusal)
        pending.look(found)
        return len(pods) == replicas and all(ready(pod) and wanted(pod) for pod in pods)

    where = f"-n {release.api.namespace} -l sweetspot.dev/model={model}"
    _until(settled, FRESH_TIMEOUT_S, f"{replicas} pods of {model} to be ready; try: kubectl get pods {where}")


def _refusal_of_pods(release: Release, model: str) -> Trouble | None:
    """Why the cluster does not create the model's pods. It may pass, because pods that end make room in a quota."""
    name = release.deployment(model)["metadata"]["name"]
    failed = _condition(release.api.get("deployments", name), "ReplicaFailure")
    if failed is None:
        return None
    ask = f"request less (models.{model}.memory too), as {release.upgrade(f'models.{model}.cpu=100m')}"
    return _refused(f"deployment {name}", str(failed.get("message", "")), _limits(release.api, ask))


def _refusal_of_load(api: Api, job: Object) -> Trouble | None:
    """Why the cluster does not create the Job's pods. It may pass, if an earlier driver still counts in a quota."""
    refusals = [each["message"] for each in api.events(job["metadata"]["uid"]) if each["reason"] == "FailedCreate"]
    if not refusals:
        return None
    # The first: each later one names another pod, for the same reason.
    return _refused(f"job {job['metadata']['name']}", refusals[0], _limits(api, ASK_FOR_LESS))


def _refused(what: str, why: str, less: str) -> Trouble:
    return Trouble(f"{what} gets no pod: {why}; {less}", hopeless=_never_allowed(why))


def _never_allowed(why: str) -> bool:
    """Whether a quota rejects a pod that asks for more than the quota's whole limit."""
    read = re.search(r"requested: (\S+), used: \S+, limited: (\S+)", why)
    if read is None:
        return False
    try:
        asked, limits = (dict(pair.split("=") for pair in part.split(",")) for part in read.groups())
        return any(amount(asked[name]) > amount(limit) for name, limit in limits.items() if name in asked)
    except ValueError:  # another version's words
        return False


def _limits(api: Api, less: str) -> str:
    return f"{less}, or try: kubectl describe resourcequota,limitrange -n {api.namespace}"


def _made_at(pod: Object) -> str:
    made_at: str = pod["metadata"]["creationTimestamp"]
    return made_at


def _await_end(setup: ClusterSetup, name: str, timeout_s: float) -> str | None:
    """Waits until the Job has loaded. Returns why it failed, or None.

    If the cluster does not answer, the request is repeated: the Job continues. Raises ClusterError if the Job never
    starts to run. Then the Job is removed. It is also removed if a node is lost: no process ends what runs there, so
    the Job would not end either.
    """
    api = setup.release.api
    pending, refused, silent = (_Pending(setup.notify, longest_s) for longest_s in (PENDING_S, REFUSED_S, PENDING_S))
    deadline_s = time.monotonic() + timeout_s
    seen: dict[str, Object] = {}
    while True:
        try:
            job = api.get("jobs", name)
            # Not by name: pods of a Job that was removed may still be on a node that is lost.
            pods = api.select("pods", {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]})
            seen |= {pod["metadata"]["name"]: pod for pod in pods}
            refusal = _refusal_of_load(api, job) if len(seen) < job["spec"]["completions"] else None
            loaded = _has_loaded(api, job)
        except NoAnswerError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_LOOK_AGAIN_S)
            continue
        if (failed := _condition(job, *_FAILED)) is not None:
            _await_last_parts(api, job)
            return _why(job, failed, pods, seen)
        if _condition(job, "Complete") or loaded:
            return None
        try:
            refused.look([refusal] if refusal else [])
            pending.look([found for pod in pods if pod["status"]["phase"] == "Pending" and (found := trouble(pod))])
        except ClusterError:
            api.delete("jobs", name)
            raise
        try:
            silent.look([Trouble(what, hopeless=False) for pod in pods if (what := silence(pod))])
        except ClusterError as error:
            api.delete("jobs", name)
            return str(error)
        if time.monotonic() > deadline_s:
            raise ClusterError(
                f"job {name} is past its deadline and still runs; try: kubectl describe job {name} -n {api.namespace}"
            )
        time.sleep(_LOOK_AGAIN_S)


def _await_last_parts(api: Api, job: Object) -> None:
    """Waits until every shard has ended or stored its part: one that is asked to end stores what it knows."""
    deadline_s = time.monotonic() + LAST_PARTS_S
    while time.monotonic() < deadline_s:
        pods = api.select("pods", {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]})
        if all(map(_ended, pods)) or _has_loaded(api, job):
            return
        time.sleep(_LOOK_AGAIN_S)


def _why(job: Object, failed: Object, pods: list[Object], seen: Mapping[str, Object]) -> str:
    """Why a Job failed: what happened to the pods of the index that failed first, or the trouble of its pods.

    If the Job's time ran out: which pods have not ended. `seen` also has pods that no longer exist.
    """
    first = set(_indexes(str(job["status"].get("failedIndexes", ""))))
    there = {pod["metadata"]["name"] for pod in pods}
    gone = [
        pod for pod in seen.values() if pod["metadata"]["name"] not in there or "deletionTimestamp" in pod["metadata"]
    ]
    # The controller deletes the others once an index has failed, and does not count theirs as failed.
    if words := [deletion(pod) for pod in gone if pod["metadata"].get("labels", {}).get(_INDEX) in first]:
        return "; ".join(words)
    if words := [found.what for pod in pods if (found := trouble(pod))]:
        return "; ".join(words)
    left = [f"pod {pod['metadata']['name']} on {node_of(pod)} has not ended" for pod in pods if not _ended(pod)]
    return "; ".join(
        [f"job {job['metadata']['name']} failed: {failed.get('message', failed.get('reason', ''))}", *left]
    )


def _indexes(text: str) -> Iterator[str]:
    """The indexes of a Job's status: `0-2,5` is 0, 1, 2 and 5."""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from map(str, range(int(first), int(last or first) + 1))


def _ended(pod: Object) -> bool:
    return pod["status"]["phase"] in {"Succeeded", "Failed"}


class _Pending:
    """How long pods have had a trouble that may pass."""

    def __init__(self, notify: Callable[[str], None], longest_s: float) -> None:
        """`notify` is called with each trouble once."""
        self._notify = notify
        self._longest_s = longest_s
        self._notified: set[str] = set()
        self._since_s: float | None = None
        self._first_s: dict[str, float] = {}

    def look(self, found: list[Trouble]) -> None:
        """Raises ClusterError for a hopeless trouble, or if there has been any for longer than `longest_s`."""
        now_s = time.monotonic()
        self._first_s = {each.what: self._first_s.get(each.what, now_s) for each in found}
        for each in found:
            lasted_s = now_s - self._first_s[each.what]
            if not each.hopeless and lasted_s >= each.passing_s and each.what not in self._notified:
                self._notified.add(each.what)
                self._notify(f"waiting: {each.what}")
        self._since_s = (self._since_s or now_s) if found else None
        for each in found:
            if each.hopeless or now_s - (self._since_s or now_s) > self._longest_s:
                raise ClusterError(each.what)


def _condition(job: Object, *kinds: str) -> Object | None:
    conditions: list[Object] = job.get("status", {}).get("conditions") or []
    return next((each for each in conditions if each["type"] in kinds and each["status"] == "True"), None)


def _until(done: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Waits until `done`. Asks a cluster that does not answer again. Raises ClusterError after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            if done():
                return
        except NoAnswerError:
            if time.monotonic() > deadline_s:
                raise
        if time.monotonic() > deadline_s:
            raise ClusterError(f"timed out after {timeout_s:.0f} s waiting for {what}")
        time.sleep(_LOOK_AGAIN_S)
