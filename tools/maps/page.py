"""The page of a map: for each number of connections a table, whose fields have the colour of the best model."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools import bundle
from tools.families import family
from tools.maps.areas import NEAR, Area, of
from tools.maps.headline import NOT_MEASURED, detail, text_of
from tools.maps.map_file import Map
from tools.maps.question import ROUNDS
from tools.maps.terminal import legend
from tools.maps.words import cpu, wait
from tools.report.rendering import environment
from tools.units import count, share


class MapField(NamedTuple):
    """One field of a table."""

    text: str
    note: str
    """Shown on demand."""
    family: str
    """Of the best models; empty if they are of several families."""


DEFINITIONS = {
    "area": f"One kind of call with one number of connections. Each model was measured there in {ROUNDS} rounds.",
    "calls/s": (
        "Calls answered OK in a closed loop with one call at a time on each connection. With few connections and a "
        "long wait, the clients are the limit: connections / (CPU + wait). Then all models tie."
    ),
    "tie": f"All models serve at least {share(NEAR)} as much as the best there, or cannot be distinguished from it.",
}


def render(folder: Path, made: Map, found: Sequence[Area], headline: str) -> str:
    """The page as HTML."""
    families = {model: family(model) for model in made.question.models}
    tables = [(count(number), _rows(made, found, number)) for number in sorted(made.question.connections)]
    return (
        environment(families, Path(__file__).parent)
        .get_template("map.html.j2")
        .render(
            name=bundle.name(folder),
            started_at="",
            answer=headline,
            notices=[],
            rows=[],
            waits=[wait(wait_ms) for wait_ms in sorted(made.question.wait_ms)],
            tables=tables,
            legend=legend(made),
            environment=made.environment,
            experiment="",
            plans=[],
            runs=[kind.key for kind in made.question.kinds if any(one.kind == kind for one in found)],
            definitions=DEFINITIONS,
        )
    )


def _rows(made: Map, found: Sequence[Area], connections: int) -> list[tuple[str, list[MapField]]]:
    """CPU time, and the field of each wait."""
    rows = []
    for cpu_ms in sorted(made.question.cpu_ms):
        kinds = [kind for kind in made.question.kinds if kind.cpu_ms == cpu_ms]
        rows.append((cpu(cpu_ms), [_field(of(found, kind, connections)) for kind in kinds]))
    return rows


def _field(area: Area | None) -> MapField:
    if area is None:
        return MapField(text_of(area), NOT_MEASURED, "")
    families = {family(model) for model in area.best}
    return MapField(text_of(area), detail(area), families.pop() if len(families) == 1 else "")
