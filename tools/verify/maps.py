"""Verifies a map: each of its runs, and the page from them. The map itself is derived, so it is never stored."""

from pathlib import Path

from tools import bundle, verify
from tools.maps import page
from tools.maps.areas import areas, first_void
from tools.maps.headline import headline
from tools.maps.map_file import Map


def verify_map(folder: Path, made: Map) -> tuple[str, list[str]]:
    """Checks a folder of `sweetspot map`, with the result of tools.verify.verify. Raises BadResultsError."""
    keys = [kind.key for kind in made.question.kinds if (folder / kind.key).is_dir()]
    problems = [f"{key}/{line}" for key in keys for line in verify.verify(folder / key)[1]]
    path = folder / bundle.PAGE
    found = areas(folder, made.question)
    rendered = page.render(folder, made, found, headline(found, first_void(folder, made.question)))
    if not problems and (not path.exists() or path.read_text(encoding="utf-8") != rendered):
        problems.append(f"{bundle.PAGE} differs from these runs: write it again with `sweetspot report`")
    return verify.counted(len(keys), "run"), problems
