"""Two runs of claims side by side: which verdicts are lost."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tools.claims.claim import Claim, Word
from tools.claims.claims_run import ClaimsRun, RegisteredClaim
from tools.claims.comparison import What, compare
from tools.claims.decision import ClaimVerdict
from tools.claims.evidence import CountingEvidence
from tools.claims.judged_run import JudgedClaim, JudgedRun

REGISTERED = RegisteredClaim(sha256="0", commit=None, committed_at=None, clean=False)


def run(registered: RegisteredClaim = REGISTERED, **words: Word) -> JudgedRun:
    """A run with those verdicts."""
    judged = tuple(
        JudgedClaim(_claim(name), registered, CountingEvidence({}), ClaimVerdict(word)) for name, word in words.items()
    )
    known = dict.fromkeys(words, registered)
    return JudgedRun(
        Path(), ClaimsRun(version=1, began="2026-11-27T10:00:00Z", despite_noise=False, claims=known), judged, {}
    )


def _claim(name: str) -> Claim:
    written = {
        "claim": name,
        "says": "One is two.",
        "experiment": "styles",
        "kind": "counted",
        "statistic": {"value": "one"},
        "holds_if": {"at_least": 2},
        "predicts": {"verdict": "holds", "because": "of nothing"},
        "scope": "Nothing.",
        "refuted_if": "One is one.",
        "cost_s": 1,
        "written": "2026-11-27",
    }
    return msgspec.convert(written, Claim)


CASES: list[tuple[Word, Word, What, bool]] = [
    ("holds", "holds", "held", False),
    ("void", "void", "held", False),
    ("holds", "does not hold", "moved", True),
    ("does not hold", "holds", "moved", True),
    ("holds", "not distinguishable", "regressed", True),
    ("does not hold", "void", "regressed", True),
    ("holds", "not here", "regressed", True),
    ("not distinguishable", "holds", "now decided", False),
    ("not here", "does not hold", "now decided", False),
    ("not distinguishable", "void", "undecided", False),
]


@pytest.mark.parametrize(("old", "new", "what", "lost"), CASES)
def test_a_verdict_is_lost_where_it_is_another_one_or_none(old: Word, new: Word, what: What, lost: bool) -> None:
    (row,) = compare(run(C12=old), run(C12=new))
    assert (row.claim, row.what, row.old, row.new, row.lost) == ("C12", what, old, new, lost)


@pytest.mark.parametrize("new", ["holds", "does not hold", "void"])
def test_a_claim_that_was_asked_otherwise_is_never_lost(new: Word) -> None:
    (row,) = compare(run(C12="holds"), run(replace(REGISTERED, sha256="1"), C12=new))
    assert (row.what, row.old, row.new, row.lost) == ("asked otherwise", "holds", new, False)


def test_claims_of_one_run_alone_are_new_or_gone_in_the_order_of_ids() -> None:
    rows = compare(run(C9="holds", T1="void"), run(C9="holds", C12="void"))
    assert [(row.claim, row.what, row.lost) for row in rows] == [
        ("C9", "held", False),
        ("C12", "new", False),
        ("T1", "gone", False),
    ]
