"""The Markdown of docs/performance.md: what each model reaches, the goals, and what each model does when it is full.

Must not know how anything is measured.
"""

from collections.abc import Iterable, Sequence
from statistics import median

from tools.bench.bounds import MOST_REJECTION_COST, Overload, bound
from tools.bench.experiments import IDLE_CONNECTIONS, arm_of
from tools.bench.goals import IDLE_MOST_KIB, GoalResult
from tools.results import Trial
from tools.stats.line import interval
from tools.values import Values, cpus_ns, rates_rps

UNKNOWN = "-"


def rates(starts: Iterable[Sequence[str]], trials: Sequence[Trial]) -> list[str]:
    """A row for each model with flags: calls/s and CPU time of a call at each point, medians of the rounds."""
    points = sorted({trial.point for trial in trials}, key=lambda point: (point.streams or 0, point.connections))
    loads = {point: f"{point.connections:,} x {point.streams}" for point in points}
    head = [f"calls/s at {load}" for load in loads.values()] + [f"µs/call at {load}" for load in loads.values()]
    rows = []
    for start in starts:
        name, _ = arm_of(start)
        found = [[trial for trial in trials if (trial.arm, trial.point) == (name, point)] for point in points]
        if any(found):
            of_rates = [_median(each, rates_rps, "{:,.0f}") for each in found]
            rows.append([_named(start), *of_rates, *(_median(each, cpus_ns, "{:.0f}", 1000) for each in found)])
    return _table(["model", *head], rows)


def goals(results: Iterable[GoalResult]) -> list[str]:
    """A row for each goal; bold is what was missed."""
    rows = [
        [
            each.what,
            each.at,
            each.asked,
            UNKNOWN if each.got is None else _bold(interval(each.got), each.reached is False),
            UNKNOWN if each.by_cpu is None else f"{each.by_cpu:.2f}",
        ]
        for each in results
    ]
    return _table(["compared", "load", "asked", "got", "by CPU"], rows)


def idle(found_kib: Sequence[float]) -> str:
    """What an idle connection costs, as a sentence."""
    if not found_kib:
        return "Idle connections were not measured."
    kib = median(found_kib)
    text = _bold(f"{kib:.1f} KiB", kib > IDLE_MOST_KIB)
    return f"RSS of reactor for each of {IDLE_CONNECTIONS:,} idle connections: {text}, at most {IDLE_MOST_KIB:g} asked."


def _median(rounds: Sequence[Trial], values: Values, text: str, per: float = 1) -> str:
    found = [value for trial in rounds for value in values(trial).values()]
    return text.format(median(found) / per) if found else UNKNOWN


def when_full(overloads: Iterable[Overload]) -> list[str]:
    """A row for each model with options; bold is what is above its bound."""
    rows = [
        [
            _named(each.start),
            bound(each.start).room,
            bound(each.start).beyond,
            f"{each.in_flight:,}",
            f"{each.served_share:.0%}",
            f"{each.rejected_share:.0%}",
            _rejection(each),
            _bold(f"{each.growth:+.1%}", not each.is_flat) + f" of {each.rss_half_bytes / 2**20:.0f} MiB",
        ]
        for each in overloads
    ]
    head = [
        "model",
        "has room for",
        "the next call",
        "in flight",
        "still served",
        "rejected",
        "rejection cost",
        "memory",
    ]
    return _table(head, rows)


def _rejection(each: Overload) -> str:
    cost, in_echoes = each.rejection_cost, each.rejection_cost_in_echoes
    if cost is None or in_echoes is None:
        return UNKNOWN
    dear = cost > MOST_REJECTION_COST
    return f"{each.rejection_cpu_us:.0f} µs: " + _bold(f"{cost:.1%}", dear) + f", {in_echoes:.0%} of an echo"


def _named(start: Sequence[str]) -> str:
    return " ".join(start)


def _bold(text: str, so: bool) -> str:
    return f"**{text}**" if so else text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
