"""Which models a map of this machine shows to be worth a search (tools/maps)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.maps import map_file
from tools.maps.relevance import nearest, worth
from tools.maps.words import described
from tools.size.need import THREADS_PER_CPU, Need
from tools.units import count


def worth_a_search(
    need: Need, models: Sequence[str], results: Path, environment: Mapping[str, Any]
) -> tuple[Sequence[str], str]:
    """Without models that are far behind, and a sentence about these, which ends with a space.

    All of them where no map has such calls. Raises BadResultsError.
    """
    known = map_file.newest(results, environment)
    if known is None or need.cost.function or need.threads_per_cpu != THREADS_PER_CPU:
        return models, ""
    from tools.maps.areas import areas  # noqa: PLC0415  (scipy)

    folder, made = known
    area = nearest(areas(folder, made.question), need.cost.cpu_ms, need.cost.wait_ms, need.connections)
    if area is None or not (found := worth(area, models)).left_out:
        return models, ""
    where = f"{described(area.kind.cpu_ms, area.kind.wait_ms)} and {count(area.connections)} connections"
    names = ", ".join(found.left_out)
    return found.models, f"Not searched: {names}. At {where}, less than half of the best ({folder}). "
