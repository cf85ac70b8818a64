"""Small plots as SVG and HTML. A plot is text that Python makes: the page needs no library to draw it.

Two kinds of plot do not justify a library. Plotly's script adds 4.8 MB to each page, matplotlib draws for one width,
and pygal loads its script from the network. None of them labels lines at their ends without overlap.

Places along x are shares of the width, in per cent, so that a plot fits a window of any width. Places along y are
pixels. Colours and sizes are in report.css. These modules must not know trials.
"""

from pathlib import Path

import jinja2

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["n"] = lambda number: f"{number:.1f}".removesuffix(".0")
