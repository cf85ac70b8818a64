"""What more CPUs bring: the calls/s of arms that differ in nothing but their CPUs, as a sentence.

An arm is what an experiment's file has for it: `{model: reactor, cpus: 2, options: {loops: 2}}`. Without `cpus` it has
one. Must not know how a trial is run.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any

from tools import measures
from tools.standings import PointStandings, Standing
from tools.stats.interval import ratio
from tools.stats.line import interval
from tools.stats.verdict import OF_RATES, verdict

ArmSettings = Mapping[str, Mapping[str, Any]]
NO_ARMS: ArmSettings = MappingProxyType({})


def sentences(at: PointStandings, arms: ArmSettings) -> Iterator[str]:
    """As `2 CPUs / 1 CPU, calls/s: process_pool 1.91 [1.65, 2.21] (faster); thread_pool 0.933 [0.732, 1.19] (not
    distinguishable).`; one sentence for each two numbers of CPUs, the largest ratio first. Only ranked arms count. Then
    come the models that used one CPU, although they had more.

    Intervals have 95 % confidence each. They are not corrected for the number of arms.
    """
    if at.measure != "rate":
        return
    ranked = {one.arm: one for one in at.ranked}
    found = [
        (few, many, _ratio(arms[second]["model"], ranked[first], ranked[second]))
        for first, few, second, many in _pairs(arms)
        if first in ranked and second in ranked
    ]
    ordered = sorted((few, many, -value, text) for few, many, shown in found if shown for value, text in [shown])
    for (few, many), of in groupby(ordered, key=lambda one: one[:2]):
        yield f"{_cpus(many)} / {_cpus(few)}, calls/s: {'; '.join(text for *_, text in of)}."
    used = {second: measures.cpus_used(ranked[second].trial) for *_, second, _ in _pairs(arms) if second in ranked}
    if idle := [f"{arms[arm]['model']} ({cpus:.2f})" for arm, cpus in used.items() if cpus <= measures.ONE_CPU]:
        yield f"With more CPUs, these used one (CPUs busy): {', '.join(idle)}."


def _pairs(arms: ArmSettings) -> Iterator[tuple[str, int, str, int]]:
    """Each arm with the fewest CPUs, and each that is the same with more: name and CPUs of both."""
    alike: dict[str, list[tuple[int, str]]] = {}
    for name, arm in arms.items():
        rest = {key: value for key, value in arm.items() if key != "cpus"}
        alike.setdefault(json.dumps(rest, sort_keys=True), []).append((arm.get("cpus", 1), name))
    for (few, first), *others in map(sorted, alike.values()):
        for many, second in others:
            if many > few:
                yield first, few, second, many


def _ratio(named: str, few: Standing, many: Standing) -> tuple[float, str] | None:
    """None where no block has a value of both."""
    if not few.values.values.keys() & many.values.values.keys():
        return None
    found = ratio(many.values, few.values)
    decided = verdict(found, "higher", words=OF_RATES)
    return found.value, f"{named} {interval(found)} ({decided.word})"


def _cpus(number: int) -> str:
    return f"{number} CPU{'' if number == 1 else 's'}"
