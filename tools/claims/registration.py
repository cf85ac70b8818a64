"""Whether each claim is decided by what it was registered with. Must not know a run, nor what was measured.

registered.json has for each claim a hash of what decides it, and the number of changes that its file names. A person
who changes a statistic, a threshold or an experiment writes the reason under `changed` and registers the claim again:
the commit shows both. Code that counts may be rewritten without a note. Each run has a copy of it, and its hash
(claims_run.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from tools.claims import reading
from tools.claims.claim import Claim
from tools.results import BadResultsError, write_whole
from tools.status import PlainError

PATH = Path(__file__).with_name("registered.json")
HOW = "sweetspot claims --register"


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim when it was last registered."""

    sha256: str
    """Of its experiment, its statistics and its thresholds."""
    changed: int
    """Changes that its file named."""


Register = Mapping[str, Entry]
"""Id of a claim -> its entry."""


def read(path: Path) -> Register:
    """Empty where there is none. Raises BadResultsError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Entry])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadResultsError(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise BadResultsError(f"{path}: {error}") from error


def write(register: Register, path: Path) -> None:
    """Raises BadResultsError."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(register), indent=1).decode() + "\n")


def check(every: Mapping[str, Claim], register: Register, experiments: Path) -> list[str]:
    """A line for each claim that differs from its registration. The line ends with what to do."""
    problems = []
    for name, claim in every.items():
        before, now = register.get(name), entry(claim, experiments)
        if before is None:
            problems.append(f"{name} is not registered: {HOW}")
        elif why := _unnoted(before, now):
            problems.append(f"{name}: {why}")
        elif before != now:
            problems.append(f"{name}: a change of it is noted and not registered: {HOW}")
    return [*problems, *_gone(every, register)]


def registered(every: Mapping[str, Claim], register: Register, experiments: Path) -> dict[str, Entry]:
    """The register with each claim as it is now. Raises PlainError where a claim changed without a note."""
    made = {name: entry(claim, experiments) for name, claim in every.items()}
    problems = [
        f"{name}: {why}" for name, now in made.items() if name in register and (why := _unnoted(register[name], now))
    ]
    if lines := [*problems, *_gone(every, register)]:
        raise PlainError("\nsweetspot: ".join(lines))
    return made


def entry(claim: Claim, experiments: Path) -> Entry:
    """The entry of the claim as it is now. The code of a counting may be rewritten, so the hash has only its name."""
    asked = reading.asked(claim.experiment, experiments)
    decides = {
        "kind": claim.kind,
        "experiment": claim.experiment,
        "clauses": [_set(msgspec.to_builtins(clause)) for clause in claim.clauses],
        "asked": None if asked is None else _set(msgspec.to_builtins(asked)),
    }
    digest = hashlib.sha256(msgspec.json.encode(decides, order="deterministic")).hexdigest()
    return Entry(sha256=digest, changed=len(claim.changed))


def _set(value: object) -> object:
    """The value without empty keys. A key that is added to claims or experiments later then changes no hash."""
    if isinstance(value, Mapping):
        return {str(key): _set(one) for key, one in value.items() if one not in (None, "", {}, [], ())}
    return [_set(one) for one in value] if isinstance(value, list | tuple) else value


def _unnoted(before: Entry, now: Entry) -> str:
    if now.changed < before.changed:
        return f"its file names {now.changed} changes, and {before.changed} were registered: restore them"
    if now.sha256 != before.sha256 and now.changed == before.changed:
        return f"its statistic, threshold or experiment changed: add the reason under `changed` in its file, then {HOW}"
    return ""


def _gone(every: Mapping[str, Claim], register: Register) -> Sequence[str]:
    return [f"{name} is registered and has no file: restore it" for name in register if name not in every]
