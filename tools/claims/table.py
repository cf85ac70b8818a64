"""Claims in the terminal. Must not know how a verdict is derived."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tools import junit
from tools.claims import words
from tools.claims.claim import Claim
from tools.claims.comparison import ClaimComparison
from tools.claims.decision import ClaimVerdict
from tools.claims.judged_run import JudgedClaim, JudgedRun
from tools.units import rest

STYLES = {"holds": "green", "does not hold": "red", "not distinguishable": "yellow", "void": "dim", "not here": "dim"}
WIDEST = 44
"""Characters of a column. A longer text moves the rest of its row."""


def line(claim: Claim, verdict: ClaimVerdict) -> str:
    """One verdict when it is decided: `C12   holds   24x (19 to 31), asked at least 5x   A handler that blocks ...`."""
    outcome, figure, asked, _ = words.row(claim, verdict)
    measured = f"{figure}, asked {asked}" if figure else ""
    return "   ".join(filter(None, (f"{claim.claim:5}", outcome, measured, claim.says)))


def show(console: Console, found: JudgedRun) -> None:
    """A row for each claim, and the answer in one sentence."""
    rows = [(each.claim.claim, *words.row(each.claim, each.verdict)) for each in found.judged]
    styles = [STYLES[each.verdict.word] for each in found.judged]
    console.print()
    _show(
        console, ("claim", "verdict", "figure", "asked", "rounds"), rows, [each.claim for each in found.judged], styles
    )
    console.print()
    console.print(words.tally([each.verdict.word for each in found.judged], found.floor), markup=False)


def _show(
    console: Console,
    heading: Sequence[str],
    rows: Sequence[Sequence[str]],
    claims: Sequence[Claim],
    styles: Sequence[str] | None = None,
) -> None:
    """Two lines for each claim: its statement needs more room than a column has."""
    widths = [min(max(map(len, column)), WIDEST) for column in zip(heading, *rows, strict=True)]
    console.print(f"[bold]{_columns(heading, widths)}[/]", soft_wrap=True)
    for number, (claim, row) in enumerate(zip(claims, rows, strict=True)):
        console.print(Text(_columns(row, widths), styles[number] if styles else ""), soft_wrap=True)
        console.print(Padding(Text(claim.says), (0, 0, 0, widths[0] + 2)))


def _columns(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{text:{width}}" for text, width in zip(texts, widths, strict=True)).rstrip()


def show_compared(console: Console, rows: Sequence[ClaimComparison]) -> bool:
    """How verdicts differ from those of the baseline; whether one is lost."""
    different = [row for row in rows if row.what != "held"]
    console.print(f"\n{len(rows) - len(different)} of {len(rows)} verdicts are the same in both runs.")
    for row in different:
        console.print(f"{row.claim:5}  {row.what}: {row.old or 'none'}, now {row.new or 'none'}", markup=False)
    return any(row.lost for row in rows)


def show_list(console: Console, every: Mapping[str, Claim], last: Mapping[str, tuple[JudgedClaim, str]]) -> None:
    """Every claim: its statement, needs and last verdict here. `last`: id -> the claim in a run, and its day."""
    rows = []
    for name, claim in every.items():
        verdict = f"{words.outcome(last[name][0].verdict)} ({last[name][1]})" if name in last else "not measured here"
        mark = f"{name} *" if claim.core else name
        rows.append((mark, ", ".join(claim.lines), rest(claim.cost_s), needs(claim) or "nothing", verdict))
    _show(console, ("claim", "lines", "a round", "needs", "last verdict here"), rows, list(every.values()))
    console.print("\n* in the core, which `sweetspot claims` runs", style="dim")


def needs(claim: Claim) -> str:
    """As `2 CPUs, io_uring`; empty where every machine has it."""
    parts = (
        f"{claim.needs.cpus} CPUs" if claim.needs.cpus > 1 else "",
        "no interpreter lock" if claim.needs.python else "",
        "io_uring" if claim.needs.io_uring else "",
        "a cluster" if claim.needs.cluster else "",
    )
    return ", ".join(filter(None, parts))


def cases(found: JudgedRun) -> list[junit.Case]:
    """A testcase for each claim: one that does not hold fails, one that is void is an error, others are skipped."""
    outcomes: Mapping[str, junit.CaseOutcome] = {"holds": "passed", "does not hold": "failure", "void": "error"}
    return [
        junit.Case(
            "claims",
            each.claim.claim,
            outcomes.get(each.verdict.word, "skipped"),
            line(each.claim, each.verdict),
        )
        for each in found.judged
    ]
