"""The verdicts of the documents are those of the committed run."""

import pytest

from tests.documents.places import guides, read
from tools.claims import markdown, publication, reading

DECIDED_BY = ("experiment", "kind", "statistic", "holds_if", "also")
"""What of a claim its verdict depends on."""


@pytest.mark.parametrize("document", guides())
def test_every_finding_rests_on_a_claim_that_the_committed_run_decides(document: str) -> None:
    _, claims = publication.read()
    assert list(markdown.unfounded(read(document), claims)) == []


def test_the_committed_run_is_of_the_claims_as_they_are() -> None:
    _, claims = publication.read()
    every = reading.claims()
    stale = [
        each.claim.claim
        for each in claims.judged
        if any(getattr(each.claim, key) != getattr(every[each.claim.claim], key) for key in DECIDED_BY)
    ]
    assert stale == [], "run `sweetspot claims` again, and export its verdicts to docs/claims.json"
