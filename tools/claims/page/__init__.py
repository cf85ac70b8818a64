"""The page of a run of claims: one HTML file that needs no network. Must not know how a verdict is derived."""

from pathlib import Path

NAME = "claims.html"


def write(folder: Path) -> Path:
    """Writes `claims.html` into a folder of claims and returns its path. Raises BadResultsError, BadClaimError."""
    # jinja2 takes 0.1 s to import, and a terminal without a page does not need it.
    from tools.claims.page import claims_page  # noqa: PLC0415

    return claims_page.write(folder)
