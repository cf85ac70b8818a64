"""A claim of the source as data: its statement, what is measured, and what decides it. Must not know any figure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Literal, Union

from msgspec import Meta, Struct, structs

Id = Annotated[str, Meta(pattern=r"^[CT][1-9][0-9]?[a-z]?$")]
FilledText = Annotated[str, Meta(min_length=1)]
Word = Literal["holds", "does not hold", "not distinguishable", "void", "not here"]
"""Of a verdict."""
DECIDED: tuple[Word, ...] = ("holds", "does not hold")
"""Those that answer whether the claim holds."""


Form = Literal["ratio", "difference", "greatest", "least"]
FORMS: tuple[Form, ...] = ("ratio", "difference", "greatest", "least")
"""Of an operand that is made of others."""


class Operand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What has one value in each round. What it leaves out, the statistic sets for all."""

    arm: str = ""
    """Of the experiment; in a counting the path of a number, as `styles.coroutine.bytes`."""
    ratio: tuple["Term", "Term"] | None = None
    """Instead of an arm: the first of two divided by the second."""
    difference: tuple["Term", "Term"] | None = None
    """The same: the first of two less the second."""
    greatest: Annotated[tuple["Term", ...], Meta(min_length=1)] | None = None
    """The same: the greatest of some."""
    least: Annotated[tuple["Term", ...], Meta(min_length=1)] | None = None
    """The same: the least of some."""
    measure: str = ""
    """A name in tools/claims/measures.py."""
    of: str = ""
    """A kind of calls of the mix; empty for all calls."""
    at: Mapping[str, float] = {}
    """Axis of the load -> value: the point."""
    over: str = ""
    """An axis: the value is the slope of the measure over it."""
    per: str = ""
    """Of `events`: the measure that counts the cases."""

    @property
    def cases(self) -> "Operand":
        """The cases that `per` counts."""
        return Operand(arm=self.arm, measure=self.per, of=self.of, at=self.at)

    @property
    def forms(self) -> tuple[Form, ...]:
        """Which are set; one is in a valid claim, and none beside an arm."""
        return tuple(form for form in FORMS if getattr(self, form) is not None)

    @property
    def parts(self) -> tuple["Operand", ...]:
        """What it is made of; none of an arm."""
        terms: Sequence[Term] = getattr(self, self.forms[0]) if self.forms else ()
        return tuple(Operand(arm=term) if isinstance(term, str) else term for term in terms)

    @property
    def is_ratio(self) -> bool:
        """Whether its value has no unit."""
        return self.forms == ("ratio",) or any(part.is_ratio for part in self.parts)


Term = Union[str, Operand]  # noqa: UP007  (a name in quotes is no operand of |)
"""As it is written: a text is the name of an arm."""


STATISTICS: tuple[Literal["value", "ratio", "difference", "events"], ...] = ("value", "ratio", "difference", "events")
"""The forms of a statistic."""


class Statistic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One figure for each round. Exactly one of value, ratio, difference and events is set."""

    value: Term | None = None
    ratio: tuple[Term, Term] | None = None
    """The first divided by the second."""
    difference: tuple[Term, Term] | None = None
    """The first less the second."""
    events: Term | None = None
    """The share of cases with an event: the geometric mean over the rounds."""
    measure: str = ""
    of: str = ""
    at: Mapping[str, float] = {}
    over: str = ""
    per: str = ""

    @property
    def form(self) -> Literal["value", "ratio", "difference", "events"]:
        """Which one is set."""
        return next(name for name in STATISTICS if getattr(self, name) is not None)

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Of the form, with what the statistic sets for all."""
        written = getattr(self, self.form)
        terms = written if isinstance(written, tuple) else (written,)
        return tuple(self._whole(term) for term in terms)

    @property
    def leaves(self) -> Iterator[Operand]:
        """Those that have an arm."""
        for operand in self.operands:
            yield from _leaves(operand)

    def _whole(self, term: Term) -> Operand:
        operand = Operand(arm=term) if isinstance(term, str) else term
        made_of = {form: tuple(map(self._whole, operand.parts)) for form in operand.forms}
        return structs.replace(
            operand,
            **made_of,
            measure=operand.measure or self.measure,
            of=operand.of or self.of,
            at={**self.at, **operand.at},
            over=operand.over or self.over,
            per=operand.per or self.per,
        )


def _leaves(operand: Operand) -> Iterator[Operand]:
    if not operand.parts:
        yield operand
    for part in operand.parts:
        yield from _leaves(part)


class Threshold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The threshold. Exactly one is set."""

    at_least: float | None = None
    at_most: float | None = None
    within: tuple[float, float] | None = None

    @property
    def low(self) -> float:
        """The claim holds from here on."""
        return self.within[0] if self.within else float("-inf") if self.at_least is None else self.at_least

    @property
    def high(self) -> float:
        """The claim holds up to here."""
        return self.within[1] if self.within else float("inf") if self.at_most is None else self.at_most

    def side(self, low: float, high: float) -> Literal["inside", "outside", "across"]:
        """Where an interval lies."""
        if self.low <= low and high <= self.high:
            return "inside"
        return "outside" if high < self.low or self.high < low else "across"


class Clause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure and what it must be."""

    statistic: Statistic
    holds_if: Threshold


class Prediction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was expected before anything was measured. It is shown and decides nothing."""

    verdict: Literal["holds", "does not hold", "not distinguishable"]
    because: FilledText
    about: float | None = None
    """The primary figure."""


class Needs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a machine must have beside Linux and this interpreter."""

    cpus: Annotated[int, Meta(ge=1, le=1024)] = 1
    python: Literal["free_threaded"] | None = None
    io_uring: bool = False
    cluster: bool = False


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a statistic or a threshold is not as it was first written."""

    day: date
    why: FilledText


class Claim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"also": "and"}):
    """One file of tools/claims/statements."""

    claim: Id
    says: FilledText
    experiment: FilledText
    """Of tools/claims/experiments, or of tools/claims/counting."""
    kind: Literal["measured", "counted"]
    """`counted`: deterministic. One round decides it, and there is no interval."""
    statistic: Statistic
    """The primary one: its figure is shown."""
    holds_if: Threshold
    also: tuple[Clause, ...] = ()
    """Further clauses. The claim holds if each one holds."""
    lines: tuple[Annotated[str, Meta(pattern=r"^L[1-9][0-9]*$")], ...] = ()
    """Of the notes."""
    thesis: str = ""
    """The section of the thesis that has it."""
    reading: Literal["notes", "thesis"] | None = None
    """Whose reading it is, where notes and thesis disagree."""
    core: bool = False
    predicts: Prediction
    scope: FilledText
    """What it is about: interpreter, CPUs, load. One sentence."""
    refuted_if: FilledText
    """Which measurement would refute it. One sentence."""
    needs: Needs = Needs()
    cost_s: Annotated[float, Meta(gt=0)]
    """Of one round of its experiment. Seconds."""
    models: tuple[str, ...] = ()
    """Those whose code shows it."""
    code: tuple[str, ...] = ()
    """Further files that show it."""
    written: date
    changed: tuple[Change, ...] = ()
    """The newest last."""

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The primary one first."""
        return (Clause(statistic=self.statistic, holds_if=self.holds_if), *self.also)

    @property
    def arms(self) -> tuple[str, ...]:
        """Of all clauses, each once; of a counting the paths."""
        return tuple(dict.fromkeys(leaf.arm for clause in self.clauses for leaf in clause.statistic.leaves))

    @property
    def order(self) -> tuple[str, int, str]:
        """C before T, then by number, then by letter."""
        digits = "".join(filter(str.isdigit, self.claim))
        return self.claim[0], int(digits), self.claim[1 + len(digits) :]
