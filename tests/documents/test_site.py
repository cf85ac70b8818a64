"""The site builds without a warning, as `make docs` does it, and a page of it asks nothing of another server."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.documents.places import ROOT, pages, read

pytestmark = [
    pytest.mark.skipif(find_spec("sphinx") is None, reason="Sphinx is not installed: `make setup` installs it"),
    pytest.mark.timeout(300),  # 15 s on a machine that does nothing else
]

LOADED = re.compile(r"<(?:script|img|iframe|source|embed|link)\b[^>]*?\b(?:src|href)\s*=\s*[\"']([^\"']*)", re.DOTALL)
OF_STYLES = re.compile(r"(?:url\(\s*[\"']?|@import\s+[\"'])([^\"')]*)")
ELSEWHERE = ("http:", "https:", "//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the pages. The flags are those of the Makefile."""
    (flags,) = re.findall(r"^\t@\$\(BIN\)/sphinx-build (.*) \. build/docs$", read("Makefile"), re.MULTILINE)
    folder = tmp_path_factory.mktemp("site")
    words = [str(folder / "doctrees") if word == "build/doctrees" else word for word in flags.split()]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, ".", str(folder / "docs")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "docs"


def test_every_page_is_in_the_site(site: Path) -> None:
    assert [page for page in pages() if not (site / page).with_suffix(".html").exists()] == []
    assert "docs/index.html" in (site / "index.html").read_text(encoding="utf-8")


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = [
        (path.name, target)
        for path in site.rglob("*")
        for pattern in ({".html": LOADED, ".css": OF_STYLES}.get(path.suffix),)
        if pattern
        for target in pattern.findall(path.read_text(encoding="utf-8"))
    ]
    assert [(name, target) for name, target in loaded if target.startswith(ELSEWHERE)] == []
    assert loaded
