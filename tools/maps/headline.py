"""A map in words: the headline, and the text of each area. Must not know of terminals or pages."""

from collections import Counter
from collections.abc import Sequence

from tools.maps.areas import Area
from tools.maps.words import described
from tools.units import count

MOST_NAMES = 2
"""Named in an area; more are counted."""
NOT_MEASURED = "not measured"


def headline(found: Sequence[Area], void: str) -> str:
    """As `coroutines serves most, or as much as the best, in 16 of 18 areas; thread_pool in 7. 3 areas are a tie of
    all.` `void` is why the first void trial is; empty if none is."""
    if not found and void:
        return f"No map: every trial is void. The first one: {void}."
    if not found:
        return "Nothing has been measured yet, so there is no map."
    wins = Counter(model for one in found if not one.is_tie for model in one.best).most_common()
    ties = sum(one.is_tie for one in found)
    if not wins:
        return "All models tie in every area."
    (first, most), *others = wins
    parts = [f"{first} serves most, or as much as the best, in {count(most)} of {count(len(found))} areas"]
    parts += [f"{model} in {count(number)}" for model, number in others]
    never = [model for model in found[0].rates_rps if model not in dict(wins)]
    lacks = f" Never: {', '.join(never)}." if never else ""
    of_all = f" {count(ties)} area{' is a tie' if ties == 1 else 's are ties'} of all models." if ties else ""
    return f"{'; '.join(parts)}.{lacks}{of_all}"


def text_of(area: Area | None) -> str:
    """As `coroutines: 2,310`, `thread_pool, coroutines: 312`, `tie: 190`."""
    if area is None:
        return NOT_MEASURED
    if not area.best:
        return "none is ranked"
    return f"{winners(area)}: {count(_three_digits(area.best_rps))}"


def winners(area: Area) -> str:
    """As `coroutines`, `thread_pool, coroutines`, `coroutines and 3 more`, `all but seda`, `tie`."""
    if area.is_tie:
        return "tie"
    others = [model for model in (*area.rates_rps, *area.unranked) if model not in area.best]
    if len(others) == 1 and len(area.best) > MOST_NAMES:
        return f"all but {others[0]}"
    if len(area.best) > MOST_NAMES:
        return f"{area.best[0]} and {count(len(area.best) - 1)} more"
    return ", ".join(area.best)


def detail(area: Area) -> str:
    """All that is known of an area, in one line."""
    rates = [f"{model} {count(_three_digits(rate))} calls/s" for model, rate in area.rates_rps.items()]
    rates += [f"{model}: {why}" for model, why in area.unranked.items()]
    where = f"{described(area.kind.cpu_ms, area.kind.wait_ms)}, {count(area.connections)} connections"
    return f"{where}: {'; '.join(rates)}"


def _three_digits(rate_rps: float) -> float:
    return round(float(f"{rate_rps:.3g}"))
