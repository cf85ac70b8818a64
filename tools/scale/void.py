"""Which searches are void: their rates are those of the machine, not of the service, and are never shown."""

from dataclasses import replace

from tools.checks import broken, void
from tools.scale.cells import OmittedCell, SearchedCell
from tools.scale.results import StoredCells


def why_void(one: SearchedCell) -> str:
    """Why the search is void, in one line; empty if it is a result.

    A noisy machine makes a service miss, and seldom the reverse. So noise counts only if every miss that bounds the
    search has it. The trial with the figures must be the one that was asked for.
    """
    misses = [each for each in one.tries if each.missed and each.rate_rps == one.found.missed_rps]
    whys = [void(each.trial, is_limited=True) for each in misses]
    if whys and all(whys):
        return whys[-1]
    return "" if one.best is None else broken(one.best)


def without_void(stored: StoredCells) -> StoredCells:
    """The same cells, where those that are void are left out with the reason."""
    whys = {one.cell: why for one in stored.searched if (why := why_void(one))}
    searched = tuple(one for one in stored.searched if one.cell not in whys)
    left_out = [*stored.left_out, *(OmittedCell(cell, f"void: {why}") for cell, why in whys.items())]
    return replace(stored, searched=searched, left_out=tuple(sorted(left_out, key=lambda one: one.cell)))
