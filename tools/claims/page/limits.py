"""What the verdicts of a run leave open. Must not know how a verdict is derived."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.claims import floor, holm
from tools.claims.claim import DECIDED
from tools.claims.judged_run import JudgedRun
from tools.claims.measures import number
from tools.units import count

ERROR = 0.05
"""Of a measured verdict, over all looks (tools/claims/decision.py)."""
NOISE = {"rate": "calls/s", "CPU": "CPU time"}


def limits(claims: JudgedRun, environment: Mapping[str, Any]) -> dict[str, str]:
    """What leaves something open -> what it leaves open."""
    return {
        "Cores": _cores(environment),
        "One machine": (
            "Every figure is of one machine with one kernel. On other hardware a ratio of two models may differ, and a "
            "figure in seconds or bytes will differ. `sweetspot claims` measures each verdict anew."
        ),
        "One language": (
            "Every model is written in Python. A call takes tens of microseconds of CPU time there, so what costs one "
            "microsecond is hard to see. Under the interpreter lock one thread of a process computes at a time. What "
            "holds for threads here need not hold for threads in C, Go or Java."
        ),
        "One network": (
            f"The load goes through the {'network of one cluster' if 'cluster' in environment else 'loopback device'}: "
            "few packets are lost, and none is slow. Effects of slow or distant clients do not show."
        ),
        "Many verdicts": _many(claims),
        "Noise": _noise(claims),
        "Counted claims": (
            "A count is exact for the code of this product. It cannot show that no other code would do better."
        ),
    }


def _cores(environment: Mapping[str, Any]) -> str:
    cpus = environment.get("cpus")
    if isinstance(cpus, Mapping):  # of each node of a cluster
        cpus = ", ".join(map(str, cpus.values()))
        had = f"The nodes had {cpus} CPUs for services, driver and backend together. " if cpus else ""
    else:
        had = f"The machine had {count(cpus)} CPUs for services, driver and backend together. " if cpus else ""
    return (
        f"{had}A service has one CPU where its experiment does not give it more. So claims on several cores are "
        "measured on few. That shows nothing about 16 or 64 cores, where locks and caches cost more."
    )


def _many(claims: JudgedRun) -> str:
    decided = [each for each in claims.judged if each.verdict.word in DECIDED and each.claim.kind == "measured"]
    all_of = f"{count(len(claims.judged))} claim{'' if len(claims.judged) == 1 else 's'}"
    if not decided:
        return f"The run has {all_of}, and no measured one is decided."
    wrong = ERROR * len(decided)
    expected = f"up to {number(wrong)} wrong words are" if wrong > 1 else "less than one wrong word is"
    return (
        f"The run has {all_of}, of which {count(len(decided))} are measured and decided. Each of these words is wrong "
        f"in at most 5 % of runs, so {expected} to be expected in this one. A second run shows which they may be. "
        f"{_together(holm.lost(claims.judged), len(decided))}"
    )


def _together(lost: Sequence[str], decided: int) -> str:
    if not lost:
        return "If all claims together may err in 5 % of runs (Holm's correction), every word stays as it is."
    return (
        f"If all claims together may err in 5 % of runs (Holm's correction), {count(decided - len(lost))} words stay. "
        f"The others are then not distinguishable: {', '.join(lost)}."
    )


def _noise(claims: JudgedRun) -> str:
    apart = [f"{number(100 * floor.apart(found))} % in {NOISE[name]}" for name, found in claims.floors.items()]
    if not apart:
        return "How far one model differs from itself was not measured in this run."
    return (
        f"One model, measured against itself, differs by at most {' and '.join(apart)} in this run. A difference that "
        "is no larger is not seen. A ratio is void if the interval of this comparison excludes 1: then the machine "
        "favours one place. Noise does not make a ratio void; it widens its interval."
    )
