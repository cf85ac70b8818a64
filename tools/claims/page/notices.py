"""What a reader must know before believing the verdicts of a run. Must not know HTML."""

from collections.abc import Sequence

from tools.claims.evidence import TrialEvidence
from tools.claims.judged_run import JudgedClaim, JudgedRun
from tools.claims.page.machine import Machine
from tools.units import count


def notices(claims: JudgedRun, machine: Machine) -> list[str]:
    """One line for each thing that casts a doubt."""
    late = [each for each in claims.judged if not each.registered.before_measured]
    changed = [each for each in claims.judged if each.claim.changed]
    sources = {
        id(each.source): each.source for each in claims.judged if isinstance(each.source, TrialEvidence)
    }.values()
    waived = sum(bool(trial.waived) for source in sources for trial in source.found.trials)
    problems = [problem for source in sources for problem in source.found.problems]
    return [
        *(
            [f"Not committed before the run: {_names(late)}. There is no proof that they were written first."]
            if late
            else []
        ),
        *([f"Changed since they were first written, each with its reason: {_names(changed)}."] if changed else []),
        *([_noisy(waived, despite_noise=claims.run.despite_noise)] if waived else []),
        *([f"Different between experiments of this run: {', '.join(machine.differs)}."] if machine.differs else []),
        *([] if claims.floors else ["How far one model differs from itself was not measured in this run."]),
        *problems,
    ]


def _noisy(waived: int, *, despite_noise: bool) -> str:
    trials = f"{count(waived)} trial{'' if waived == 1 else 's'}"
    if despite_noise:
        return f"{trials} are used although the machine was noisy (--despite-noise)."
    return f"The machine was noisy in {trials}: their rates and latencies are left out, and the rest is used."


def _names(judged: Sequence[JudgedClaim]) -> str:
    return ", ".join(each.claim.claim for each in judged)
