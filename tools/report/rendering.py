"""How text gets into a page: templates, and the forms of numbers that they use. Must not know what is shown."""

import re
from collections.abc import Mapping
from pathlib import Path

import jinja2
import markupsafe

from tools.units import duration


def environment(families: Mapping[str, str], *folders: Path) -> jinja2.Environment:
    """The templates of those folders, and the ones that every page is made of. `families`: arm -> family."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["duration"] = duration
    made.filters["family"] = families.__getitem__
    # One unit and one number of decimals for the whole sum, so that a reader can add it up.
    made.filters["ms"] = lambda ns: f"{ns / 1e6:,.2f}"
    made.filters["per_cent"] = lambda part, whole: f"{max(0.0, part) / whole * 100:.3f}%" if whole else "0%"
    made.filters["keep_units"] = lambda text: re.sub(r"(\d) (?=[^\W\d]|%)", "\\1\u00a0", text)
    made.filters["breakable"] = lambda name: markupsafe.escape(name).replace("_", markupsafe.Markup("_<wbr>"))
    return made
