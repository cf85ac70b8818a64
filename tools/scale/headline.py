"""The answer that a grid gives, in words: which model, as how many pods of how many cores?

Must not know of tables, plots or files.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from tools.experiment import Experiment
from tools.scale import metrics, objective
from tools.scale.cells import Cell, SearchedCell, scale_of
from tools.units import count


def answer(searched: Sequence[SearchedCell], asked: Experiment, void: Sequence[str] = ()) -> str:
    """One sentence on the size that most shapes were measured at; cells whose intervals overlap are a tie.

    `void` has the reasons of the cells that are void, which are not among `searched`.
    """
    at = compared_at(searched)
    if at is None and void:
        return f"No answer: every cell is void. The first one: {void[0]}."
    if at is None:
        return "Nothing has been measured yet, so there is no answer."
    scale = scale_of(asked)
    best_of_plans = [
        f"for {plan} {_best(ranked)}" for plan in scale.plans if (ranked := ranking(searched, plan, total_cpus=at))
    ]
    of_void = f" {count(len(void))} cell{'s are' if len(void) > 1 else ' is'} void." if void else ""
    return f"With {cpus(at)} in all and {objective.text(scale.objective)}: {'; '.join(best_of_plans)}.{of_void}"


def compared_at(searched: Iterable[SearchedCell]) -> float | None:
    """The total of CPUs that most cells have, the larger of two; None without a cell."""
    sizes = Counter(one.cell.total_cpus for one in searched)
    return max(sizes, key=lambda size: (sizes[size], size), default=None)


def ranking(searched: Iterable[SearchedCell], plan: str, *, total_cpus: float) -> list[SearchedCell]:
    """The cells of that plan and size, those that serve most first."""
    ours = [one for one in searched if one.cell.plan == plan and one.cell.total_cpus == total_cpus]
    return sorted(ours, key=lambda one: metrics.middle_rps(one) or 0.0, reverse=True)


def leaders(ranked: Sequence[SearchedCell]) -> list[SearchedCell]:
    """The best of a ranking and all that may tie with it; none where no rate met the objective."""
    if not ranked or metrics.rates(ranked[0]) is None:
        return []
    return [one for one in ranked if metrics.may_tie(one, ranked[0])]


def cpus(number: float) -> str:
    """`1 CPU`, `0.5 CPUs`."""
    return f"{count(number)} CPU{'' if number == 1 else 's'}"


def named(cell: Cell) -> str:
    """As `coroutines as 4 x 0.25`."""
    return f"{cell.service} as {cell.shape}"


def interval(one: SearchedCell) -> str:
    """As `1,740 to 1,900 calls/s`."""
    known = metrics.rates(one)
    if known is None:
        return "no rate"
    met, missed = known
    return f"{_whole(met)} or more calls/s" if missed is None else f"{_whole(met)} to {_whole(missed)} calls/s"


def _best(ranked: Sequence[SearchedCell]) -> str:
    best = leaders(ranked)
    if not best:
        return "no shape of any model met the objective at any rate tried"
    if len(best) == len(ranked) > 1:
        return f"all {len(ranked)} shapes overlap, so no shape is the best ({interval(best[0])})"
    if len(best) > 1:
        text = f"{_join(_grouped(best))} overlap as the best ({interval(best[0])})"
    else:
        text = f"{named(best[0].cell)} serves most, {interval(best[0])}"
    following = next((one for one in ranked if one not in best), None)
    if following is None:
        return text
    return f"{text}, before {named(following.cell)} ({interval(following)})"


def _grouped(searched: Sequence[SearchedCell]) -> list[str]:
    """As `coroutines as 1 x 1 or 2 x 0.5`, one for each service."""
    shapes: dict[str, list[str]] = {}
    for one in searched:
        shapes.setdefault(one.cell.service, []).append(one.cell.shape)
    return [f"{service} as {' or '.join(ours)}" for service, ours in shapes.items()]


def _whole(rate_rps: float) -> str:
    """Three digits: a search claims no more."""
    return count(round(float(f"{rate_rps:.3g}")))


def _join(words: Iterable[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
