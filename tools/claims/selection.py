"""Which claims a person means. Must not know how a claim is decided."""

from collections.abc import Mapping, Sequence

from tools.claims.claim import Claim
from tools.status import PlainError


def choose(every: Mapping[str, Claim], names: Sequence[str]) -> list[Claim]:
    """Without names the core; else `all`, or those with such an id, or of such a line. Raises PlainError.

    An id without a letter means all readings and cases of the claim: C17 is also C17b.
    """
    if not names:
        return [claim for claim in every.values() if claim.core]
    found: dict[str, Claim] = {}
    for name in names:
        these = {claim.claim: claim for claim in every.values() if name in ("all", *_names(claim))}
        if not these:
            raise PlainError(
                f"no claim {name!r}: give `all`, an id such as C12 or a line such as L49 (--list shows them)"
            )
        found |= these
    return list(found.values())


def _names(claim: Claim) -> tuple[str, ...]:
    kind, number, _ = claim.order
    return claim.claim, f"{kind}{number}", *claim.lines
