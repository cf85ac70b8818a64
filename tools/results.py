"""Trials on disk: written whole or not at all, and checked against the schema both ways.

Must not know how a trial is run, nor what is shown of it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from sweetspot.v1.control_pb2 import SnapshotReply

from tools import atomic_file
from tools.experiment import Point
from tools.status import PlainError, one_line

# Imported only to check a trial: it takes 0.1 s of CPU, and a driver's pod checks none.
if TYPE_CHECKING:
    import jsonschema

VERSION = 4
_AGAIN = "-again"
"""Ends the name of the second trial of an arm."""
VOID, FAILED = "void", "failed"
"""Suffixes of the files of trials without a result, and the first words in them."""


class BadResultsError(PlainError):
    """A results folder that cannot be read or written; the message is one line for a person."""


@dataclass(frozen=True, slots=True, order=True)
class TrialId:
    """What names a trial, in files, spans and Kubernetes objects."""

    arm: str
    point: str
    """Its name, as `100` or `20-r400`."""
    round: int = 1
    again: bool = False
    """Whether it is the second trial of the arm there: the arm is compared with itself (tools/aa.py)."""

    def __str__(self) -> str:
        return f"{self.arm}-{self.point}-{self.round}{_AGAIN if self.again else ''}"

    @classmethod
    def parse(cls, text: str) -> "TrialId":
        """The reverse of `str`. Raises ValueError."""
        arm, _, rest = text.removesuffix(_AGAIN).partition("-")
        point, _, number = rest.rpartition("-")
        return cls(arm, point, int(number), text.endswith(_AGAIN))

    @property
    def service(self) -> str:
        """What a round starts for it. The second trial of an arm has a service of its own."""
        return f"{self.arm}{_AGAIN if self.again else ''}"


@dataclass(frozen=True, slots=True)
class Trial:
    """One arm at one point in one round."""

    id: TrialId
    model: str
    """The row of MODELS, as `thread_pool`."""
    load: Mapping[str, Any]
    """Axis -> value, as Point.values has them."""
    result: Mapping[str, Any]
    """The driver's result (services/driver/result.schema.json)."""
    before: SnapshotReply
    """The service's counters when measuring began."""
    after: SnapshotReply
    """The service's counters when measuring ended."""
    pods: Sequence[Mapping[str, Any]] = ()
    """In a cluster: the service's pods, as trial.schema.json describes."""
    driver_cpus: float = 1.0
    """CPUs that each process of the driver may use: its one thread cannot use more."""
    spans: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """In a cluster: what happened to the spans that each service made, as trial.schema.json describes."""
    others_share: float | None = None
    """Share of the service's CPUs that other processes took (tools/busy_machine.py); None: not measured."""
    waived: str = ""
    """What a noisy machine did to it, if it is a result in spite of that (--despite-noise)."""
    counted: int | None = None
    """Calls answered OK from `before` to `after`; None: those answered while measuring."""
    slices_cpu_ns: Sequence[int] = ()
    """CPU time of the service in each slice, from the first send until nothing was in flight; empty: not known."""
    slices_canary_ns: Sequence[int] = ()
    """CPU time of a fixed loop beside each slice (tools/canary.py); empty: not known."""
    capacity_rps: float | None = None
    """Calls/s that the arm answered in a closed loop just before, if its rate is a multiple of that."""

    @property
    def arm(self) -> str:
        """What it is a trial of: a model, unless the experiment names arms."""
        return self.id.arm

    @property
    def point(self) -> Point:
        """Where it was measured."""
        return Point(name=self.id.point, **self.load)

    @property
    def client(self) -> str:
        """What made the load: the driver, or a load program."""
        name: str = self.result.get("client", "driver")
        return name

    @property
    def connections(self) -> int:
        """Connections asked for."""
        return self.point.connections


@dataclass(frozen=True, slots=True)
class StoredTrials:
    """What a results folder holds."""

    trials: tuple[Trial, ...]
    """By arm, then connections, point and round."""
    problems: tuple[str, ...]
    """One line for each trial whose file could not be read."""
    void: tuple[tuple[TrialId, str], ...] = ()
    """Each trial that had a load but no result, and why, in one line."""
    failed: tuple[tuple[TrialId, str], ...] = ()
    """Each trial that was started and failed, and why, in one line."""
    again: tuple[Trial, ...] = ()
    """Second trials of an arm, which are compared with its first ones and with nothing else."""

    @property
    def without_result(self) -> tuple[tuple[TrialId, str], ...]:
        """Each void and each failed trial, with the reason, as `failed: reactor ended with status 1`."""
        of_word = ((VOID, self.void), (FAILED, self.failed))
        return tuple(sorted((trial, f"{word}: {why}") for word, found in of_word for trial, why in found))


def trial_path(folder: Path, trial: TrialId) -> Path:
    """The path of that trial's file, which exists only after the trial has ended."""
    return folder / ("again" if trial.again else "trials") / f"{trial}.json"


def write_trial(folder: Path, trial: Trial) -> Path:
    """Stores a finished trial, replacing an earlier one. Raises BadResultsError."""
    path = trial_path(folder, trial.id)
    write_whole(path, json.dumps(to_json(trial, str(path)), indent=1) + "\n")
    _remove_others(path)
    return path


def write_void(folder: Path, trial: TrialId, why: str) -> None:
    """Stores in one line why a load gave no such trial, replacing an earlier trial.

    Raises BadResultsError.
    """
    _write_reason(trial_path(folder, trial).with_suffix(f".{VOID}"), why)


def write_failed(folder: Path, trial: TrialId, why: str, output: Sequence[str] = ()) -> None:
    """Stores in one line why a trial failed, and below it the last output, replacing an earlier trial.

    Raises BadResultsError.
    """
    _write_reason(trial_path(folder, trial).with_suffix(f".{FAILED}"), why, output)


def _write_reason(path: Path, why: str, output: Sequence[str] = ()) -> None:
    write_whole(path, "\n".join([f"{path.suffix.removeprefix('.')}: {why}", *output]) + "\n")
    _remove_others(path)


def _remove_others(path: Path) -> None:
    """A trial has one outcome, which is the last one."""
    for suffix in {".json", f".{VOID}", f".{FAILED}"} - {path.suffix}:
        path.with_suffix(suffix).unlink(missing_ok=True)


def to_json(trial: Trial, where: str) -> dict[str, Any]:
    """A trial as trial.schema.json describes it. Raises BadResultsError, whose text begins with `where`."""
    content = {
        "version": VERSION,
        "arm": trial.id.arm,
        "point": trial.id.point,
        "round": trial.id.round,
        "again": trial.id.again,
        "model": trial.model,
        "load": dict(trial.load),
        "result": trial.result,
        "before": json_format.MessageToDict(trial.before, preserving_proto_field_name=True),
        "after": json_format.MessageToDict(trial.after, preserving_proto_field_name=True),
        "pods": list(trial.pods),
        "driver_cpus": trial.driver_cpus,
        "spans": dict(trial.spans),
        "others_share": trial.others_share,
        "waived": trial.waived,
        "counted": trial.counted,
        "slices_cpu_ns": list(trial.slices_cpu_ns),
        "slices_canary_ns": list(trial.slices_canary_ns),
        "capacity_rps": trial.capacity_rps,
    }
    _check(content, where)
    return content


def read_trial(path: Path) -> Trial:
    """Reads one trial file. Raises BadResultsError."""
    return from_json(read_json(path), str(path))


def read_existing(folder: Path, trials: Iterable[TrialId]) -> list[Trial]:
    """Those of them that the folder has as results. Raises BadResultsError."""
    return [read_trial(path) for trial in trials if (path := trial_path(folder, trial)).exists()]


def read_json(path: Path) -> Any:
    """What a file of JSON holds. Raises BadResultsError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadResultsError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BadResultsError(f"{path}: not JSON: {error}") from error


def from_json(content: Any, where: str) -> Trial:
    """The reverse of `to_json`. Raises BadResultsError."""
    if isinstance(content, dict) and content.get("version", VERSION) != VERSION:
        raise BadResultsError(
            f"{where}: written by another version ({content['version']}, not {VERSION}): run it again"
        )
    _check(content, where)
    try:
        before = json_format.ParseDict(content["before"], SnapshotReply())
        after = json_format.ParseDict(content["after"], SnapshotReply())
    except json_format.ParseError as error:
        raise BadResultsError(f"{where}: not a snapshot: {one_line(error)}") from error
    return Trial(
        TrialId(content["arm"], content["point"], content["round"], content.get("again", False)),
        content["model"],
        content["load"],
        content["result"],
        before,
        after,
        tuple(content.get("pods", ())),
        content.get("driver_cpus", 1.0),
        content.get("spans", {}),
        content.get("others_share"),
        content.get("waived", ""),
        content.get("counted"),
        tuple(content.get("slices_cpu_ns", ())),
        tuple(content.get("slices_canary_ns", ())),
        content.get("capacity_rps"),
    )


def read_trials(folder: Path) -> StoredTrials:
    """Reads every trial of a results folder. One that cannot be read is named, and is no error.

    Raises BadResultsError if there is no such folder, or it holds no `trials`.
    """
    if not (folder / "trials").is_dir():
        raise BadResultsError(f"{folder}: not a results folder (it has no trials/)")
    problems: list[str] = []
    trials, again = _stored(folder / "trials", problems), _stored(folder / "again", problems)
    void, failed = (_reasons(folder / "trials", word, problems) for word in (VOID, FAILED))
    by_arm = sorted(trials, key=lambda trial: (trial.arm, trial.connections, trial.id))
    return StoredTrials(tuple(by_arm), tuple(sorted(problems)), tuple(sorted(void)), tuple(sorted(failed)), again)


def _stored(folder: Path, problems: list[str]) -> tuple[Trial, ...]:
    trials = []
    for path in sorted(folder.glob("*.json")):
        try:
            trials.append(read_trial(path))
        except BadResultsError as error:
            problems.append(str(error).replace(str(path), f"{folder.name}/{path.name}"))
    return tuple(trials)


def _reasons(folder: Path, word: str, problems: list[str]) -> list[tuple[TrialId, str]]:
    """Of the files with that suffix, the first line of each."""
    found = []
    for path in folder.glob(f"*.{word}"):
        why = path.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0].removeprefix(f"{word}: ")
        try:
            found.append((TrialId.parse(path.stem), why))
        except ValueError:
            problems.append(f"{folder.name}/{path.name}: its name is not ARM-POINT-ROUND.{word}")
    return found


def write_whole(path: Path, text: str) -> None:
    """As tools.atomic_file.write_whole. Makes missing folders; raises BadResultsError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write_whole(path, text)
    except OSError as error:
        raise BadResultsError(f"{path}: cannot be written: {error.strerror}") from error


@cache
def _validator() -> "jsonschema.Draft202012Validator":
    import jsonschema  # noqa: PLC0415

    schema = json.loads(Path(__file__).with_name("trial.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _check(content: object, where: str) -> None:
    import jsonschema  # noqa: PLC0415

    error = jsonschema.exceptions.best_match(_validator().iter_errors(content))
    if error is not None:
        raise BadResultsError(f"{where}: at {error.json_path}: {one_line(error.message)}")
