"""The forest plot: every claim beside its threshold, sorted by verdict. Must not know how a verdict is derived."""

from collections.abc import Sequence

from markupsafe import Markup

from tools.claims import words
from tools.claims.claim import Word
from tools.claims.judged_run import JudgedClaim, JudgedRun
from tools.claims.page.margin import margin, of_value
from tools.report.plots import forest
from tools.report.plots.forest import ForestRow

ORDER: tuple[Word, ...] = ("holds", "does not hold", "not distinguishable", "void", "not here")
CAPTION = (
    "The dark line is the threshold of every claim, written down before measuring. Figures to the right of it are on "
    "the claim's side. The scale shows by which factor a figure is above its threshold, or below it for a "
    "maximum. The scale is compressed, so that near and far figures are visible. If a threshold or a figure is 0, "
    "the distance is a difference."
)


def kind(word: Word) -> str:
    """Of the style sheet."""
    return word.replace(" ", "-")


def groups(claims: JudgedRun) -> list[tuple[Word, list[JudgedClaim]]]:
    """Those of each verdict, in the order of their ids."""
    found = [(word, [each for each in claims.judged if each.verdict.word == word]) for word in ORDER]
    return [(word, judged) for word, judged in found if judged]


def plot(claims: JudgedRun) -> Markup:
    """For the page."""
    drawn = [(word, [_row(each) for each in judged]) for word, judged in groups(claims)]
    return forest.draw(drawn, title="Every claim beside its threshold", caption=CAPTION)


def svg(claims: JudgedRun) -> str:
    """A file of its own, which needs nothing beside it."""
    rows = [_row(each) for _, judged in groups(claims) for each in judged]
    tally = words.tally([each.verdict.word for each in claims.judged], None)
    return forest.standalone(rows, title=tally)


def _row(judged: JudgedClaim) -> ForestRow:
    claim, verdict = judged.claim, judged.verdict
    outcome, figure, asked, _ = words.row(claim, verdict)
    place = words.deciding(claim, verdict)
    shown = verdict.figures[place] if place < len(verdict.figures) else None
    bound = claim.clauses[place].holds_if
    found = margin(shown, bound) if shown else None
    expected = claim.predicts.about if place == 0 and shown else None
    return ForestRow(
        name=claim.claim,
        text=claim.says,
        kind=kind(verdict.word),
        word=verdict.word,
        note="; ".join(_notes(outcome.removeprefix(verdict.word).lstrip(" :"), figure, asked)),
        shape="square" if claim.kind == "counted" else "circle",
        value=found.value if found else None,
        low=found.low if found else 0.0,
        high=found.high if found else 0.0,
        expected=None if expected is None else of_value(expected, bound),
    )


def _notes(why: str, figure: str, asked: str) -> Sequence[str]:
    measured = f"{figure}, asked {asked}" if figure else ""
    return [each for each in (measured, why.strip("()")) if each]
