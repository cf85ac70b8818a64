"""The page of a grid that was made to size a service: it begins with the sizes."""

from pathlib import Path

from tools.scale import page
from tools.scale.results import StoredCells
from tools.size import size_question
from tools.size.answer import COLUMNS, answer


def render(folder: Path) -> str:
    """The page of any grid's folder. Raises BadResultsError where it is not one."""
    sized = size_question.read(folder)

    def lead(grid: StoredCells) -> page.Lead | None:
        return None if sized is None else page.Lead(COLUMNS, answer(sized, grid))

    return page.render(folder, lead)
