"""The verdicts of a run in Markdown: a part of the README, and a page. Must not know how a verdict is derived."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tools.claims import description, notes, words
from tools.claims.judged_run import JudgedClaim, JudgedRun
from tools.claims.publication import PublishedRun

START, END = "<!-- claims:start -->\n", "<!-- claims:end -->"
FINDING = re.compile(r"\[(not )?([CT][1-9][0-9]?[a-z]?)\]")
"""After a sentence that states a finding: the claim that it rests on, or with `not` the claim that it denies."""


PAGE = """# The verdicts of one run

{about}

`sweetspot claims all` makes such a run on your machine. [claims.md](claims.md) has the rule of a verdict, and states
what each word means. `sweetspot explain C12` shows one claim with its experiment and its code.

## Claim by claim

{claims}
## The notes, line by line

{lines}"""
"""Shape of docs/verdicts.md."""


def core(claims: JudgedRun) -> JudgedRun:
    """Those that `sweetspot claims` measures without further words."""
    return replace(claims, judged=tuple(each for each in claims.judged if each.claim.core))


def part(published: PublishedRun, claims: JudgedRun) -> str:
    """The answer in one sentence, where and when it was measured, and a row for each claim of the core."""
    return f"{_about(published, core(claims))}\n\n{_table(core(claims).judged)}"


def page(published: PublishedRun, claims: JudgedRun) -> str:
    """Every claim, and every line of the notes with its verdicts."""
    lines = [
        f"| {name} | {line.english} | {', '.join(verdicts) or 'no claim in this run'} |\n"
        for name, line in notes.read().items()
        for verdicts in [
            [f"{each.claim.claim} {each.verdict.word}" for each in claims.judged if name in each.claim.lines]
        ]
    ]
    return PAGE.format(
        about=_about(published, claims),
        claims=_table(claims.judged),
        lines=f"| line | what it states | verdicts |\n| --- | --- | --- |\n{''.join(lines)}",
    )


def _about(published: PublishedRun, claims: JudgedRun) -> str:
    found = published.environment
    where = ", ".join(
        str(each) for each in (found.get("cpu"), f"{found.get('cpus')} CPUs", found.get("python")) if each
    )
    tally = words.tally([each.verdict.word for each in claims.judged], claims.floor)
    return f"{tally} Measured on {published.began[:10]}: {where}."


def _table(judged: Sequence[JudgedClaim]) -> str:
    rows = [
        f"| {each.claim.claim} | {each.claim.says} | {outcome} | {what} | {figure} | {asked} |\n"
        for each in judged
        for outcome, figure, asked, _ in [words.row(each.claim, each.verdict)]
        for what in [description.statistic(each.claim.clauses[words.deciding(each.claim, each.verdict)].statistic)]
    ]
    head = ("claim", "what it states", "verdict", "what was measured", "figure, with its interval", "holds if")
    return f"| {' | '.join(head)} |\n{'| --- ' * len(head)}|\n{''.join(rows)}"


def unfounded(text: str, claims: JudgedRun) -> Iterator[str]:
    """A line for each sentence whose claim has another verdict, or none."""
    known = {each.claim.claim: each.verdict.word for each in claims.judged}
    for denied, name in FINDING.findall(text):
        wanted = "does not hold" if denied else "holds"
        if known.get(name) != wanted:
            yield f"[{denied}{name}]: the claim {known.get(name, 'is not in the run')}, not: {wanted}"
