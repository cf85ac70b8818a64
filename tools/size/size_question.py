"""The question beside its cells, so that a run that continues and a report give the same answer."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from tools.results import BadResultsError, write_whole
from tools.size.need import Need
from tools.status import PlainError

NAME = "need.json"


@dataclass(frozen=True, slots=True)
class SizeQuestion:
    """What was asked."""

    need: Need
    models: tuple[str, ...]
    basis: str
    """Where the cost of a call comes from; one line."""
    wire_ns: float | None = None
    """CPU time of the wire for each call; None where it is not known."""


def write(folder: Path, stored: SizeQuestion) -> None:
    """Beside the experiment, before anything is measured. Raises BadResultsError."""
    text = msgspec.json.format(msgspec.json.encode(stored)).decode() + "\n"
    write_whole(folder / NAME, text)


def read(folder: Path) -> SizeQuestion | None:
    """None where the folder is not one of `sweetspot size`. Raises BadResultsError."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=SizeQuestion)
    except (OSError, msgspec.DecodeError, PlainError) as error:
        raise BadResultsError(f"{path}: not what `sweetspot size` writes: {error}") from error
