"""What a reader finds of one claim. Must not know HTML, nor how a verdict is derived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tools.claims import description, notes, phrases, reading, words
from tools.claims.claim import DECIDED, Claim
from tools.claims.counting import COUNTINGS
from tools.claims.decision import ClaimVerdict
from tools.claims.evidence import TrialEvidence
from tools.claims.judged_run import RUNS, JudgedClaim, JudgedRun
from tools.claims.notes import SourceLine
from tools.claims.page import pictures, tables
from tools.claims.page.registration import RegistrationText, registration
from tools.claims.page.tables import Table
from tools.experiment import Experiment
from tools.families import family
from tools.words import rounds

READINGS = {"notes": "as the notes have it", "thesis": "as the thesis has it", None: ""}
SIDES = {"inside": "holds", "outside": "does not hold", "across": "not distinguishable"}
LONGEST_REASON = 6
"""Void trials that are named; of more there is the number."""


@dataclass(frozen=True, slots=True)
class ClauseCard:
    """One thing that the claim asks."""

    what: str
    figure: str
    asked: str
    side: str
    """The word of this clause by itself; empty if it has no figure."""


@dataclass(frozen=True, slots=True)
class Card:
    """One claim."""

    claim: Claim
    verdict: ClaimVerdict
    outcome: str
    reading: str
    lines: Mapping[str, SourceLine]
    clauses: Sequence[ClauseCard]
    deciding: int
    """The clause whose figure is shown first."""
    rounds: str
    predicted: str
    because: str
    proved: str
    """The outcome of the prediction: right, wrong or open."""
    registration: RegistrationText
    question: str
    """Of the experiment."""
    load: Sequence[str]
    """What clients do, and what each call does; empty where it is a counting."""
    arms: Mapping[str, tuple[str, str]]
    """Arm -> its family, and how its model was started."""
    report: str
    """The path of the experiment's own page within the folder; empty where there is none."""
    void: Sequence[str]
    code: Sequence[str]
    pictures: Sequence[Markup]
    tables: Sequence[Table]


@dataclass(frozen=True, slots=True)
class ClaimGroup:
    """The readings and parts of one claim: C17, C17b."""

    name: str
    cards: Sequence[Card]


def groups(claims: JudgedRun) -> list[ClaimGroup]:
    """Every card, in the order of ids."""
    found: dict[str, list[Card]] = {}
    for judged in claims.judged:
        kind, number, _ = judged.claim.order
        found.setdefault(f"{kind}{number}", []).append(_card(claims, judged))
    return [ClaimGroup(name, cards) for name, cards in found.items()]


def _card(claims: JudgedRun, judged: JudgedClaim) -> Card:
    claim, verdict = judged.claim, judged.verdict
    asked = reading.asked(claim.experiment, claims.folder / reading.EXPERIMENTS.name)
    arms = _arms(claim, asked)
    report = f"{RUNS}/{claim.experiment}/report.html"
    every, is_here = notes.read(), verdict.word != "not here"
    return Card(
        claim=claim,
        verdict=verdict,
        outcome=words.outcome(verdict),
        reading=READINGS[claim.reading],
        lines={name: every[name] for name in claim.lines if name in every},
        clauses=_clauses(judged),
        deciding=words.deciding(claim, verdict),
        rounds="counted once" if claim.kind == "counted" else rounds(verdict.rounds) if verdict.rounds else "",
        predicted=_predicted(claim),
        because=_sentence(claim.predicts.because),
        proved=_proved(claim, verdict),
        registration=registration(judged.registered),
        question=asked.title if asked else COUNTINGS[claim.experiment].title,
        load=[phrases.load(asked), phrases.calls(asked)] if asked else [],
        arms=arms,
        report=report if (claims.folder / report).is_file() else "",
        void=_void(judged),
        code=[*(f"services/models/{model}.py" for model in claim.models), *claim.code],
        pictures=[
            *pictures.of_figures(judged),
            *pictures.of_operands(judged, {arm: of for arm, (of, _) in arms.items()}),
        ]
        if is_here
        else [],
        tables=tables.of_rounds(judged) if is_here else [],
    )


def _clauses(judged: JudgedClaim) -> list[ClauseCard]:
    found = []
    for place, clause in enumerate(judged.claim.clauses):
        shown = judged.verdict.figures[place] if place < len(judged.verdict.figures) else None
        found.append(
            ClauseCard(
                what=description.statistic(clause.statistic),
                figure=words.figure(clause.statistic, shown) if shown else "",
                asked=words.asked(clause.statistic, clause.holds_if),
                side=SIDES[clause.holds_if.side(shown.low, shown.high)] if shown else "",
            )
        )
    return found


def _predicted(claim: Claim) -> str:
    """As `holds, about 20x`."""
    about = claim.predicts.about
    return claim.predicts.verdict + ("" if about is None else f", about {words.text(claim.statistic, about)}")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _proved(claim: Claim, verdict: ClaimVerdict) -> str:
    if verdict.word == claim.predicts.verdict:
        return "right"
    return "wrong" if verdict.word in DECIDED else "open"


def _arms(claim: Claim, asked: Experiment | None) -> dict[str, tuple[str, str]]:
    """Those that the claim compares."""
    if asked is None:
        return {}
    return {name: (family(asked.arms[name].model), phrases.arm(asked, name)) for name in claim.arms}


def _void(judged: JudgedClaim) -> list[str]:
    """As `loop at point 20, round 2: other processes took 30 % of the CPU`."""
    if not isinstance(judged.source, TrialEvidence):
        return []
    found = [
        f"{trial.arm} at point {trial.point}, round {trial.round}: {why.removeprefix('void: ')}"
        for trial, why in judged.source.found.without_result
        if trial.arm in judged.claim.arms
    ]
    more = len(found) - LONGEST_REASON
    return [*found[:LONGEST_REASON], *([f"{more} more"] if more > 0 else [])]
