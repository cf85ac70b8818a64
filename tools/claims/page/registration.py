"""Whether a claim was written down before it was measured, in words. Must not know git."""

from dataclasses import dataclass

from tools.claims.claims_run import RegisteredClaim


@dataclass(frozen=True, slots=True)
class RegistrationText:
    """Of one claim."""

    text: str
    sha256: str
    """Of the claim's file and its experiment's."""
    before: bool
    """Whether it was committed before the run began."""


def registration(registered: RegisteredClaim) -> RegistrationText:
    """As `Committed 2026-11-27 18:53 as 4315dd8ef849, before the run began.`"""
    return RegistrationText(_text(registered), registered.sha256, registered.before_measured)


def _text(registered: RegisteredClaim) -> str:
    if registered.commit is None or registered.committed_at is None:
        return "Not committed when the run began, so nothing shows that it was written before."
    commit = f"{registered.committed_at[:16].replace('T', ' ')} as {registered.commit[:12]}"
    if not registered.clean:
        return f"Last committed {commit}, and edited since: nothing shows that this text was written before the run."
    return f"Committed {commit}, before the run began."
