"""Examples and figures that pages repeat are those of the code."""

import inspect

import pytest

from services.workload.costs import STYLES, chain, edits, source
from tests.documents import markdown
from tests.documents.places import guides, read
from tools import experiment


def examples(document: str) -> list[markdown.Found]:
    """The experiments that a page has as a whole, each with its title."""
    return [block for block in markdown.blocks(read(document), "yaml") if block.text.startswith("title:")]


@pytest.mark.parametrize("document", [document for document in guides() if examples(document)])
def test_an_example_of_an_experiment_is_one(document: str) -> None:
    for block in examples(document):
        assert experiment.parse(block.text, f"{document}:{block.line}").arms


def test_the_page_of_experiments_has_an_example_with_several_arms_of_one_entry() -> None:
    arms = [list(experiment.parse(block.text, "").arms) for block in examples("docs/experiments.md")]
    assert ["reactor", "pool_4", "pool_16", "stages"] in arms


@pytest.mark.parametrize("style", STYLES)
def test_the_figures_of_a_style_that_follow_from_code_are_those_of_the_code(style: str) -> None:
    handlers = STYLES[style]
    found = source.read(style, handlers)
    more = edits.lines_to_change(inspect.getsource(handlers), edits.edited(style, handlers))
    deep = edits.lines_to_change(chain.PLAIN, chain.AFTER[style])
    figures = (style, found.functions_of_a_call, found.saved_by_hand, found.captured, more, deep)
    assert f"| {' | '.join(map(str, figures))} |" in read("docs/styles.md")
