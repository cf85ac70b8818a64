"""What a run stores of its claims, so that a reader can see that they were written before it.

run.json             id -> hash of the claim's files, the last commit that changed one, and whether they equal it
statements/C12.yaml  the files as they were
experiments/         those of the engine, likewise
counting/            modules that count, likewise

Must not know what decides a claim: tools/claims/registered.json has that of today's claims (registration.py).
"""

import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from tools.claims import reading
from tools.claims.claim import Claim
from tools.claims.counting import COUNTINGS
from tools.results import BadResultsError, write_whole

NAME = "run.json"
VERSION = 1


class RegisteredClaim(Struct, frozen=True, kw_only=True):
    """One claim as it was when the run began."""

    sha256: str
    """Of the claim's file and of its experiment's, or of the module that counts, one after the other."""
    commit: str | None
    """The last commit that changed either; None if the code is in no repository."""
    committed_at: str | None
    """When. ISO 8601."""
    clean: bool
    """Whether both files were equal to those of that commit."""

    @property
    def before_measured(self) -> bool:
        """Whether the claim was committed before the run began."""
        return self.commit is not None and self.clean


class ClaimsRun(Struct, frozen=True, kw_only=True):
    """A run of claims."""

    version: int
    began: str
    """ISO 8601, UTC."""
    despite_noise: bool
    """Whether figures that depend on the machine's speed count although it was noisy."""
    claims: Mapping[str, RegisteredClaim]


def register(folder: Path, chosen: Sequence[Claim], experiments: Sequence[str], *, despite_noise: bool = False) -> None:
    """Stores the claims of a run that begins, their experiments, and `experiments`. Raises BadResultsError."""
    for path in (reading.EXPERIMENTS / f"{name}.yaml" for name in experiments):
        _copy(path, folder)
    found = {}
    for claim in chosen:
        files = _files(claim)
        for path in files:
            _copy(path, folder)
        found[claim.claim] = _registered(files)
    began = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    run = ClaimsRun(version=VERSION, began=began, despite_noise=despite_noise, claims=found)
    text = msgspec.json.format(msgspec.json.encode(run), indent=1)
    write_whole(folder / NAME, text.decode() + "\n")


def read(folder: Path) -> ClaimsRun:
    """The claims that a folder has registered. Raises BadResultsError."""
    path = folder / NAME
    try:
        run = msgspec.json.decode(path.read_bytes(), type=ClaimsRun)
    except OSError as error:
        raise BadResultsError(f"{path}: {error.strerror}: not a folder of claims") from error
    except msgspec.DecodeError as error:
        raise BadResultsError(f"{path}: {error}") from error
    if run.version != VERSION:
        raise BadResultsError(f"{path}: written by another version ({run.version}, not {VERSION}): run it again")
    return run


def edited(folder: Path, run: ClaimsRun) -> list[str]:
    """A line for each claim whose files have changed since the run began."""
    every, found = reading.claims(), []
    for name, before in run.claims.items():
        if name not in every or _hash(_files(every[name])) != before.sha256:
            path = reading.STATEMENTS / f"{name}.yaml"
            found.append(f"{path}: the claim or its experiment was edited after the run in {folder} started")
    return found


def edited_copies(folder: Path, run: ClaimsRun) -> list[str]:
    """A line for each claim whose files in the folder have changed since the run began."""
    every = reading.claims(folder / reading.STATEMENTS.name, folder / reading.EXPERIMENTS.name)
    found = []
    for name, before in run.claims.items():
        statement, asked = (_path_of_copy(path, folder) for path in _files(every[name]))
        if not asked.is_file() or _hash([statement, asked]) != before.sha256:
            found.append(f"{_within(statement, folder)}, or {_within(asked, folder)}, was changed")
    return found


def _copy(path: Path, folder: Path) -> None:
    copy = _path_of_copy(path, folder)
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    except OSError as error:
        raise BadResultsError(f"{copy}: cannot be written: {error.strerror}") from error


def _path_of_copy(path: Path, folder: Path) -> Path:
    """The path of a run's copy."""
    return folder / path.parent.name / path.name


def _within(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))


def _files(claim: Claim) -> tuple[Path, Path]:
    """The file of the claim, and that of its experiment or its counting."""
    name = claim.experiment
    asked = COUNTINGS[name].code if name in COUNTINGS else reading.EXPERIMENTS / f"{name}.yaml"
    return reading.STATEMENTS / f"{claim.claim}.yaml", asked


def _hash(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _registered(files: Sequence[Path]) -> RegisteredClaim:
    names = [str(path) for path in files]
    last = _git("log", "-1", "--format=%H %cI", "--", *names)
    commit, _, when = (last or "").partition(" ")
    changed = _git("status", "--porcelain", "--", *names)
    return RegisteredClaim(
        sha256=_hash(files), commit=commit or None, committed_at=when or None, clean=bool(commit) and changed == ""
    )


def _git(*arguments: str) -> str | None:
    """What it prints; None where there is no git, or no repository."""
    command = ["git", "-C", str(reading.HERE), *arguments]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
