"""What a reader must know before believing a grid: what failed, what was left out, what else bounded it.

Must not know HTML. One line each.
"""

from collections.abc import Iterator, Mapping, Sequence

from tools import measures
from tools.busy_machine import is_busy, words
from tools.scale import metrics
from tools.scale.cells import Cell, SearchedCell
from tools.scale.headline import named
from tools.scale.results import StoredCells
from tools.units import count, share, three_digits


def notices(stored: StoredCells, asked: Sequence[Cell]) -> list[str]:
    """In order of weight: what was not measured, then what bounds the measurement."""
    missing = [cell for cell in asked if cell not in stored.cells]
    why = dict.fromkeys(one.why for one in stored.left_out)
    return [
        *stored.problems,
        *(f"{cell.plan}: {named(cell)}: {_why_missing(cell, dict(stored.failed))}." for cell in missing),
        *(f"Left out: {_listed([one.cell for one in stored.left_out if one.why == each])}: {each}." for each in why),
        *(f"{one.cell.plan}: {named(one.cell)}: {text}" for one in stored.searched for text in _of(one)),
        *(
            text
            for plan in dict.fromkeys(one.cell.plan for one in stored.searched)
            for text in _not_for_cpu(stored, plan)
        ),
    ]


def _why_missing(cell: Cell, failed: Mapping[str, str]) -> str:
    return f"failed: {failed[cell.key]}" if cell.key in failed else "not measured"


def _not_for_cpu(stored: StoredCells, plan: str) -> Iterator[str]:
    """One line for all of a plan: on a busy machine it is true of nearly every cell."""
    ours = [one for one in stored.searched if one.cell.plan == plan and metrics.held_back_otherwise(one)]
    if ours:
        used = [metrics.used_share(one, metrics.last_miss(one)) for one in ours]
        least, most = (share(float(f"{end(used):.2g}")) for end in (min, max))
        yield (
            f"{plan}: missed with {least} to {most} of their CPUs used and no throttling: the cause is not the limit "
            "but the model, a busy machine or the driver: "
            f"{', '.join(named(one.cell) for one in ours)}."
        )


def _of(one: SearchedCell) -> Iterator[str]:
    found = one.found
    if found.met_rps is None:
        last = one.tries[-1]
        yield f"met at no rate; at {count(round(last.rate_rps))} calls/s: {last.missed}."
    elif found.missed_rps is None:
        missed = any(each.missed for each in one.tries)
        yield (
            f"{'no miss was confirmed' if missed else 'missed at no rate that was tried'}: the rate "
            "it can serve may be higher."
        )
    if shaken := [each.trial for each in one.tries if is_busy(each.trial)]:
        worst = max(shaken, key=lambda trial: trial.others_share or 0)
        yield f"in {count(len(shaken))} of {count(len(one.tries))} trials {words(worst)} at worst: repeat it."
    busiest = max((each.trial for each in one.tries), key=measures.driver_busy, default=None)
    if busiest is not None and measures.driver_busy(busiest) > measures.DRIVER_BUSY_SHARE:
        yield (
            f"the driver used {three_digits(measures.driver_cpus(busiest))} CPUs: the figures may be "
            "those of the driver."
        )


def _listed(cells: Sequence[Cell]) -> str:
    return ", ".join(dict.fromkeys(f"{cell.replicas} x {count(cell.cpus)}" for cell in cells))
