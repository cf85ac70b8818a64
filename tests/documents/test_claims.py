"""The verdicts of the documents are those of the committed run."""

import re

import pytest

from tests.documents.places import README, guides, read
from tools.claims import markdown, published, reading, words

DECIDED_BY = ("experiment", "kind", "statistic", "holds_if", "also")
"""What of a claim its verdict depends on."""


@pytest.mark.parametrize("document", guides())
def test_every_finding_rests_on_a_claim_that_the_committed_run_decides(document: str) -> None:
    _, claims = published.read()
    assert list(markdown.unfounded(read(document), claims)) == []


def test_the_committed_run_is_of_the_claims_as_they_are() -> None:
    _, claims = published.read()
    every = reading.claims()
    stale = [
        each.claim.claim
        for each in claims.judged
        if any(getattr(each.claim, key) != getattr(every[each.claim.claim], key) for key in DECIDED_BY)
    ]
    assert stale == [], "run `sweetspot claims` again, and export its verdicts to docs/claims.json"


FIGURE = re.compile(r"[\d.,]+x? \([^()|]+ to [^()|]+\)(?: in 100,000)?")
"""A figure with its interval, as the command prints it."""


def test_every_figure_of_a_finding_is_one_of_its_claims() -> None:
    _, claims = published.read()
    figures = {
        each.claim.claim: {
            words.figure(clause.statistic, found)
            for clause, found in zip(each.claim.clauses, each.verdict.figures, strict=False)
            if found is not None
        }
        for each in claims.judged
    }
    (findings,) = re.findall(r"<!-- findings:start -->\n(.*?)<!-- findings:end -->", read(README), re.DOTALL)
    rows = [(line, [name for _, name in markdown.FINDING.findall(line)]) for line in findings.splitlines()[2:]]
    assert rows
    stale = [
        figure
        for line, names in rows
        for figure in FIGURE.findall(line)
        if figure not in set().union(*(figures[name] for name in names))
    ]
    assert stale == []
    assert all(FIGURE.search(line) for line, _ in rows)
