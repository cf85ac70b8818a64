"""The verdicts of a run as a part of the README. Must not know how a verdict is derived."""

import re
from collections.abc import Iterator

from tools.claims import words
from tools.claims.judged import Claims
from tools.claims.published import Published

START, END = "<!-- claims:start -->\n", "<!-- claims:end -->"
FINDING = re.compile(r"\[(not )?([CT][1-9][0-9]?[a-z]?)\]")
"""After a sentence that states a finding: the claim that it rests on, or with `not` the claim that it denies."""


def part(published: Published, claims: Claims) -> str:
    """The answer in one sentence, where and when it was measured, and a row for each claim."""
    found = published.environment
    where = ", ".join(
        str(each) for each in (found.get("cpu"), f"{found.get('cpus')} CPUs", found.get("python")) if each
    )
    rows = [
        f"| {each.claim.claim} | {each.claim.says} | {outcome} | {figure} | {asked} |\n"
        for each in claims.judged
        for outcome, figure, asked, _ in [words.row(each.claim, each.verdict)]
    ]
    tally = words.tally([each.verdict.word for each in claims.judged], claims.floor)
    head = "| claim | what it says | verdict | figure, with its interval | asked |\n| --- | --- | --- | --- | --- |\n"
    return f"{tally} Measured on {published.began[:10]}: {where}.\n\n{head}{''.join(rows)}"


def with_part(text: str, made: str) -> str:
    """The document with that part between its markers."""
    before, rest = text.split(START)
    _, after = rest.split(END)
    return before + START + made + END + after


def unfounded(text: str, claims: Claims) -> Iterator[str]:
    """A line for each sentence whose claim has another verdict, or none."""
    known = {each.claim.claim: each.verdict.word for each in claims.judged}
    for denied, name in FINDING.findall(text):
        wanted = "does not hold" if denied else "holds"
        if known.get(name) != wanted:
            yield f"[{denied}{name}]: the claim {known.get(name, 'is not in the run')}, not: {wanted}"
