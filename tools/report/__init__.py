"""The report: one HTML file that needs no network, made from a results folder.

Must not know how trials are run, and shows nothing that the folder does not hold.
"""

from pathlib import Path


def write(results: Path) -> Path:
    """Writes `report.html` into a results folder and returns its path.

    Shows everything that the folder holds, and states what it lacks. Raises BadResultsError if it is not a results
    folder or cannot be written to.
    """
    # The page needs jinja2, 0.1 s of imports; the terminal uses other parts of this package.
    from tools.report import page  # noqa: PLC0415

    return page.write(results)
