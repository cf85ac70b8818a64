"""The sentences of every --help: of commands, flags and options."""

from collections.abc import Iterator

from services.models import MODELS
from tests.documents import parsers
from tests.documents.sentences import Sentence, split


def sentences() -> Iterator[Sentence]:
    """All of them; the place is the flag."""
    for place, text in _texts():
        yield from split(text, place)


def _texts() -> Iterator[tuple[str, str]]:
    for parser in (parsers.sweetspot(), *parsers.programs().values()):
        yield parser.prog, parser.description or ""
        for leaf, about in parsers.leaves(parser):
            yield leaf.prog, about
            for action in leaf._actions:
                if action.dest != "help":
                    name = action.option_strings[0] if action.option_strings else action.metavar or action.dest
                    yield f"{leaf.prog} {name}", parsers.help_of(action)
    for option in {option for model in MODELS.values() for option in model.all_options}:
        yield f"python -m services {option.flag}", option.help
