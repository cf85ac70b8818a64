"""Whether the misses of a search are the service's own."""

from tools.checks import void
from tools.scale.cells import SearchedCell


def why_void(one: SearchedCell) -> str:
    """Why the misses that bound this search are not the service's; empty where one is."""
    misses = [each for each in one.tries if each.missed and each.rate_rps == one.found.missed_rps]
    whys = [void(each.trial, is_limited=True) for each in misses]
    return whys[-1] if whys and all(whys) else ""
