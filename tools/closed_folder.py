"""The trials of a results folder whose run has ended, all of which can be read."""

from pathlib import Path

from tools import bundle
from tools.results import BadResultsError, StoredTrials, read_trials


def read(folder: Path) -> StoredTrials:
    """Raises BadResultsError where the folder is no closed bundle, is of an older version, or is spoilt."""
    bundle.read(folder)
    found = read_trials(folder)
    if found.problems:
        raise BadResultsError(f"{folder}: {found.problems[0]} (`sweetspot verify` lists all problems)")
    return found
