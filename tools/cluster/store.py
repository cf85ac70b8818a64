"""Results in the cluster: a ConfigMap for each run, for each shard of a trial, and for each cell of a grid.

They need no storage class, survive the pods that wrote them, and can be read from any machine. A ConfigMap holds 1 MiB
(kubernetes.io/docs/concepts/configuration/configmap). A shard's part is compressed JSON: some 30 KiB, and 400 KiB with
10,000 traced calls, the most that a result holds. A cell has the trials of its whole search, without their traced
calls, which no page of a grid shows: 25 KiB for 9 trials of some 1,000 calls/s.
Must not know how anything is measured.
"""

import base64
import gzip
import json
import subprocess
import tempfile
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from sweetspot.v1.control_pb2 import SnapshotReply

from tools.cluster.api import AlreadyThereError, Api, ClusterError, NotThereError, Object
from tools.cluster.job import label_of, named_by
from tools.cluster.release import dns
from tools.local import Programs
from tools.results import BadResultsError, Trial, TrialId
from tools.results import to_json as trial_to_json
from tools.status import one_line

# Imported only to check a part that is read: the pod that writes it does without (tools/results.py).
if TYPE_CHECKING:
    import jsonschema

RUN_LABEL, TRIAL_LABEL, CELL_LABEL = "sweetspot.dev/run", "sweetspot.dev/trial", "sweetspot.dev/cell"
_OURS = {"app.kubernetes.io/name": "sweetspot"}
_MERGE_TIMEOUT_S = 60.0

_MAX_LABEL = 63
"""Characters (kubernetes.io/docs/concepts/overview/working-with-objects/labels)."""

PartJson = Mapping[str, Any]
"""As part.schema.json describes."""
CellJson = Mapping[str, Any]
"""As tools/scale/cell.schema.json describes."""


class VoidTrialError(Exception):
    """Why a trial is no result although parts of it exist: one line."""


class _UnreadableError(Exception):
    """Why the content of a ConfigMap cannot be read."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A stored run; `files` are those of a results folder, without the trials."""

    name: str
    began: str
    """When the cluster stored it: RFC 3339."""
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunContents:
    """What a run has stored."""

    began: str
    """RFC 3339."""
    things: frozenset[str]
    """The trials, or the cells, that have stored something."""


def runs(api: Api, release: str) -> list[StoredRun]:
    """All runs of that release, with what was asked for. Raises ClusterError."""
    return [_run(each) for each in api.select("configmaps", _of_kind("run", release))]


def contents(api: Api, release: str) -> dict[str, RunContents]:
    """Run -> what it has stored. Raises ClusterError."""
    found: dict[str, list[Object]] = {}
    for kind in ("part", "cell"):
        for each in api.select("configmaps", _of_kind(kind, release)):
            found.setdefault(each["metadata"]["labels"][RUN_LABEL], []).append(each["metadata"])
    return {
        run: RunContents(
            min(each["creationTimestamp"] for each in those),
            frozenset(each["labels"].get(TRIAL_LABEL) or each["labels"][CELL_LABEL] for each in those),
        )
        for run, those in found.items()
    }


def _of_kind(kind: str, release: str) -> dict[str, str]:
    return {**_OURS, "app.kubernetes.io/instance": release, "sweetspot.dev/kind": kind}


def save_run(api: Api, run: str, release: str, files: Mapping[str, str]) -> None:
    """Stores that the run exists, and what was asked for. Raises ClusterError, AlreadyThereError too."""
    labels = {**_of_kind("run", release), RUN_LABEL: run}
    api.create("configmaps", {"metadata": {"name": run, "labels": labels}, "data": dict(files)})


def save_part(api: Api, labels: Mapping[str, str], name: str, part: PartJson) -> None:
    """Stores the part of one shard. Raises ClusterError."""
    _save(api, {"name": name, "labels": {**labels, "sweetspot.dev/kind": "part"}}, part)


def save_cell(api: Api, release: str, run: str, key: str, cell: CellJson) -> None:
    """Stores the outcome of a cell, replacing an earlier one; `key` is its name. Raises ClusterError."""
    slim = json.loads(json.dumps(cell))
    for each in slim.get("tries", ()):
        each["trial"]["result"]["traces"] = []
    name = dns(key).replace("=", "-")
    labels = {**_of_kind("cell", release), RUN_LABEL: run, CELL_LABEL: name[-_MAX_LABEL:].lstrip("-.")}
    name = f"{run}-{name}"
    try:
        _save(api, {"name": name, "labels": labels}, slim)
    except AlreadyThereError:
        api.delete("configmaps", name)
        _save(api, {"name": name, "labels": labels}, slim)


def cells(api: Api, run: str) -> tuple[dict[str, CellJson], list[str]]:
    """The outcomes of the cells of that run, by the ConfigMap of each, and a line for each that cannot be read.

    Raises ClusterError.
    """
    found, problems = {}, []
    for each in api.select("configmaps", {**_OURS, "sweetspot.dev/kind": "cell", RUN_LABEL: run}):
        name = each["metadata"]["name"]
        try:
            found[name] = _content(each)
        except _UnreadableError as error:
            problems.append(f"ConfigMap {name}: {error}")
    return found, problems


def try_name(run: str) -> str:
    """A name used as the run's by one trial of a search. It is new, so that it never matches another trial's Job."""
    return f"{run}-{uuid.uuid4().hex[:8]}"


def search_of(name: str) -> str:
    """The run whose search has made a trial of that name."""
    return name.rpartition("-")[0]


def delete_tries(api: Api, run: str, release: str) -> None:
    """Removes the ConfigMaps and Jobs of trials of a search that was interrupted. Raises ClusterError."""
    for kind in ("jobs", "configmaps"):
        for each in api.select(kind, {**_OURS, "app.kubernetes.io/instance": release}):
            if search_of(each["metadata"]["labels"].get(RUN_LABEL, "")) == run:
                api.delete(kind, each["metadata"]["name"])


def stored_run(api: Api, name: str) -> StoredRun:
    """Raises ClusterError."""
    try:
        return _run(api.get("configmaps", name))
    except NotThereError:
        raise ClusterError(
            f"no run {name!r} in namespace {api.namespace}; try: sweetspot results list -n {api.namespace}"
        ) from None


def _run(found: Object) -> StoredRun:
    return StoredRun(found["metadata"]["name"], found["metadata"]["creationTimestamp"], found.get("data", {}))


def parts(api: Api, run: str) -> dict[TrialId, list[PartJson]]:
    """The parts that the shards of each trial have stored. Raises ClusterError."""
    found: dict[TrialId, list[PartJson]] = {}
    for each in api.select("configmaps", {**_OURS, "sweetspot.dev/kind": "part", RUN_LABEL: run}):
        part = _part(each)
        found.setdefault(TrialId.parse(part["trial"]), []).append(part)
    return found


def parts_of(api: Api, run: str, trial: TrialId) -> list[PartJson]:
    """The parts that the shards of that trial have stored. Raises ClusterError."""
    return [_part(each) for each in _of_trial(api, run, trial)]


def parts_stored(api: Api, job: Object) -> int:
    """How many parts of that Job's trial are stored. Raises ClusterError."""
    marks = {label: job["metadata"]["labels"].get(label, "") for label in (RUN_LABEL, TRIAL_LABEL)}
    return len(api.select("configmaps", {**_OURS, "sweetspot.dev/kind": "part", **marks}))


def delete_parts(api: Api, run: str, trial: TrialId) -> None:
    """Removes the stored parts of a trial. Raises ClusterError."""
    for each in _of_trial(api, run, trial):
        api.delete("configmaps", each["metadata"]["name"])


def _of_trial(api: Api, run: str, trial: TrialId) -> list[Object]:
    labels = {RUN_LABEL: run, TRIAL_LABEL: label_of(trial)}
    return api.select("configmaps", {**_OURS, "sweetspot.dev/kind": "part", **labels})


def _save(api: Api, metadata: Object, content: Mapping[str, Any]) -> None:
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode(), mtime=0)).decode("ascii")
    name = f"{metadata['labels']['sweetspot.dev/kind']}.json.gz"
    api.create("configmaps", {"metadata": metadata, "binaryData": {name: packed}})


def _content(found: Object) -> Any:
    """Raises _UnreadableError."""
    try:
        (packed,) = found.get("binaryData", {}).values()
        return json.loads(gzip.decompress(base64.b64decode(packed)))
    except (ValueError, EOFError, OSError, zlib.error) as error:  # what base64, gzip and json raise
        raise _UnreadableError(f"cannot be read: {one_line(error)}") from error


def _part(found: Object) -> PartJson:
    """A shard's part. One that cannot be read, or breaks the schema, makes only its own trial void."""
    import jsonschema  # noqa: PLC0415

    try:
        part: PartJson = _content(found)
        if error := jsonschema.exceptions.best_match(_validator().iter_errors(part)):
            raise _UnreadableError(f"at {error.json_path}: {one_line(error.message)}")
    except _UnreadableError as error:
        why = f"ConfigMap {found['metadata']['name']}: {error}"
        return {"trial": named_by(found["metadata"]["labels"][TRIAL_LABEL]), "void": [why]}
    return part


@cache
def _validator() -> "jsonschema.Draft202012Validator":
    import jsonschema  # noqa: PLC0415

    schema = json.loads(Path(__file__).with_name("part.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def assemble(found: Sequence[PartJson], programs: Programs) -> Trial:
    """The trial of these parts, checked so that it can be written. Raises VoidTrialError."""
    if not found:
        raise VoidTrialError("no shard wrote a result")
    if void := [why for part in found for why in part["void"]]:
        raise VoidTrialError("; ".join(void))
    result = _merged([part["result"] for part in found], programs)
    # Every shard is there, once: so there is a first one.
    first = next(part for part in found if part["result"]["shards"][0]["index"] == 0)
    began_ns = result["shards"][0]["begin_monotonic_ns"]
    answered = {pod["host"]: pod for pod in result["pods"]}
    try:
        before, after = (json_format.ParseDict(first[mark], SnapshotReply()) for mark in ("before", "after"))
    except json_format.ParseError as error:
        raise VoidTrialError(f"the service's counters cannot be read: {one_line(error)}") from None
    trial = Trial(
        TrialId.parse(first["trial"]),
        model=first["model"],
        load=first["load"],
        result=result,
        before=before,
        after=after,
        pods=tuple(_pod(pod, answered.get(pod["name"]), began_ns) for pod in first["pods"]),
        driver_cpus=min(part["driver_cpus"] for part in found),
        spans=({"driver": result["spans"]} if result["spans"] else {}) | first["spans"],
        others_share=first.get("others_share"),
        capacity_rps=first.get("capacity_rps"),
    )
    try:
        trial_to_json(trial, "the trial")
    except BadResultsError as error:
        raise VoidTrialError(str(error)) from None
    return trial


def _pod(pod: Mapping[str, Any], answered: Mapping[str, Any] | None, began_ns: int) -> dict[str, Any]:
    """One pod as the trial records it: its node, its answered calls and, if it was added late, when."""
    ready_ns = None if pod["ready_monotonic_ns"] is None else pod["ready_monotonic_ns"] - began_ns
    first_ns = None if answered is None else answered["first_answer_ns"]
    return {
        "name": pod["name"],
        "node": pod["node"],
        "answered": 0 if answered is None else answered["answered"],
        "ready_ns": ready_ns,
        "first_answer_ns": first_ns,
        "went": pod["went"],
    }


def _merged(results: Sequence[Any], programs: Programs) -> Any:
    with tempfile.TemporaryDirectory(prefix="sweetspot-") as folder:
        paths = [Path(folder, f"{number}.json") for number in range(len(results))]
        for path, result in zip(paths, results, strict=True):
            path.write_text(json.dumps(result), encoding="utf-8")
        whole = Path(folder, "whole.json")
        command = [*programs.merge, "--out", str(whole), *map(str, paths)]
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=_MERGE_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise VoidTrialError(f"its parts were not merged within {_MERGE_TIMEOUT_S:.0f} s") from None
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise VoidTrialError(last.removeprefix("services.driver.merge: "))
        return json.loads(whole.read_text(encoding="utf-8"))
