"""Puts the page of a run of claims together. Must not compute: every figure comes ready from its own module."""

from pathlib import Path

from markupsafe import Markup

from tools.claims import judged_run, words
from tools.claims.judged_run import JudgedRun
from tools.claims.page import NAME, cards, forest
from tools.claims.page.definitions import DEFINITIONS
from tools.claims.page.limits import limits
from tools.claims.page.lines import lines
from tools.claims.page.machine import machine
from tools.claims.page.notices import notices
from tools.report.rendering import environment
from tools.results import write_whole


def write(folder: Path) -> Path:
    """As tools.claims.page.write."""
    path = folder / NAME
    write_whole(path, render(judged_run.read(folder)))
    return path


def render(claims: JudgedRun) -> str:
    """The page as HTML. It depends on what is in the folder, and not on where the folder is."""
    where = machine(claims.folder)
    made = environment({}, Path(__file__).parent)
    made.filters["kind"] = forest.kind
    made.filters["code"] = _code
    return made.get_template("claims.html.j2").render(
        name="claims",
        started_at=claims.run.began,
        answer=words.tally([each.verdict.word for each in claims.judged], claims.floor),
        notices=notices(claims, where),
        forest=forest.plot(claims),
        lines=lines(claims),
        groups=cards.groups(claims),
        limits=limits(claims, where.described),
        environment=where.described,
        definitions=DEFINITIONS,
        rows=[],
    )


def _code(text: str) -> Markup:
    """Text in which `this` is code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else Markup.escape(part) for place, part in enumerate(parts)
    )
