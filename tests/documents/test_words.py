"""The words of documents and of --help are plain: short sentences, and none of the words that the style forbids."""

import pytest

from tests.documents import python_texts, words
from tests.documents.places import README, read
from tests.documents.sentences import Sentence, count, split

HELD = {group.name: group for group in words.groups() if group.held}
MOST_LINES = 150
"""Of the README."""


@pytest.mark.parametrize("name", HELD)
def test_sentences_are_short(name: str) -> None:
    sentences = list(HELD[name].sentences())
    found = list(words.too_long(sentences))
    assert not found, "\n".join(found)
    assert words.mean(sentences) < words.MOST_MEAN


@pytest.mark.parametrize("name", HELD)
def test_no_word_is_one_that_the_style_forbids(name: str) -> None:
    found = list(words.forbidden(HELD[name].sentences()))
    assert not found, "\n".join(found)


def test_the_readme_is_short() -> None:
    assert len(read(README).splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One thread reads. Another thread answers it.", [3, 4]),
        ("See Adya et al. (2002) for more, e.g. Figure 1. Then it ends here.", [10, 4]),
        ("`sweetspot run` prints a table. `a.b. C` is one word.", [4, 4]),
        ("It stalls its own thread. [C12] It holds for Python 3.11 only.", [5, 6]),
        ('It prints "done." Then it ends the process.', [3, 5]),
    ],
)
def test_sentences_are_told_apart(text: str, sentences: list[int]) -> None:
    assert [sentence.words for sentence in split(text, "")] == sentences


def test_code_is_one_word_and_a_dash_is_none() -> None:
    assert count("Run `sweetspot run default` - and wait.") == 4


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Nobody waits for the reply.", 1),
        ('It prints "nobody waits for it" there.', 0),
        ("The option `keeps` of the pool.", 0),
        ("A hand-kept table of names.", 0),
        ("A further call is refused here.", 1),
    ],
)
def test_code_and_quotations_may_have_any_word(text: str, lines: int) -> None:
    assert len(list(words.forbidden([Sentence("", text)]))) == lines


def test_pictures_are_no_sentences_and_each_label_begins_a_text() -> None:
    docstring = "What it is.\n\n    a --> b\n\nWho waits  The loop.\n           It never stops.\nAfter      Stevens."
    assert list(python_texts.paragraphs(docstring)) == [
        "What it is.",
        " Who waits  The loop. It never stops.",
        " After      Stevens.",
    ]


def test_comments_on_lines_that_follow_one_another_are_one() -> None:
    source = "# One and\n# the same.\nx = 1  # another\n# A third.  \ny = 2  # noqa: E501\n"
    assert list(python_texts.joined(source)) == [(1, "One and the same."), (3, "another"), (4, "A third.")]
