"""The README's table of models, and docs/models.md: the taxonomy, and a section for each model."""

import textwrap
from collections.abc import Iterable, Iterator

from services.models import MODELS
from services.runtime.model import Model
from tests.documents import service_options
from tests.documents.captions import caption
from tests.documents.tables import WRITTEN, fenced, item, listed, paragraph, plain, sentence, table

COLUMNS = {
    "tasks": "What switches from one call to another. *Serial*: nothing, one call runs after the other. *Cooperative*: "
    "the call itself, when it waits. *Preemptive*: the scheduler, at any time.",
    "stack": "Who stores the state of a call while it waits. *Automatic*: the language, on a stack. *Manual*: the "
    "handler, in records or closures.",
    "I/O": "What a read does when there is nothing to read. *Blocking*: the thread waits. *Non-blocking*: the read "
    "returns at once. *Completion*: the kernel reads later, and reports when the bytes are there.",
    "conflicts": "What protects data that calls share.",
    "partitioning": "Who may touch which part of that data. *None*: everything is shared. *Full*: each process has its "
    "own.",
    "who accepts": "Who accepts connections.",
    "queue": "Where calls wait for a worker. *None*: they do not. *Bounded*: in a queue with a limit.",
    "hand-off": "What passes a call from its reader to its worker. *None*: they are the same.",
    "variants": "Options that make it another model in all but name. The tests treat each variant as a model.",
}

INTRODUCTION = f"""\
# Models

{WRITTEN}
A model decides who accepts connections, who reads, who runs the handler and who writes. Each model is one file. The
first lines of a file have a picture of the model: who waits, what bounds it, and what happens when it is full. The
sections below show these pictures. Two files can be read side by side:

```sh
diff services/models/thread_per_connection.py services/models/thread_pool.py
```

"""

EVERY_SERVICE = "[every service](cli.md#options-of-every-service)"

SOURCE = """\
These five dimensions are those of Adya et al., *Cooperative Task Management without Manual Stack Management* (USENIX
2002). Erb has them too: *Concurrent Programming for Scalable Web Architectures* (2012), chapter 4.3.
"""


def overview(models: Iterable[Model] = MODELS.values()) -> str:
    """The table in the README: what to choose."""
    rows = [(f"[{model.name}](services/models/{model.name}.py)", model.caption, model.choose_when) for model in models]
    return table(("name", "what it is", "choose it when"), *rows)


def page() -> str:
    """docs/models.md."""
    return "".join((INTRODUCTION, *_tables(), *map(_section, MODELS.values())))


def _tables() -> Iterator[str]:
    choice, dimensions, calls = [], [], []
    for model in MODELS.values():
        link, kind = f"[{model.name}](#{model.name})", model.taxonomy
        choice.append((link, model.caption, model.choose_when))
        dimensions.append((link, kind.tasks, kind.stack, kind.io, kind.conflicts, kind.partitioning))
        variants = listed(map(" ".join, model.variants))
        calls.append((link, kind.accepts, kind.queue, kind.hand_off, variants))
    yield "## Which to choose\n\n"
    yield table(("name", "what it is", "choose it when"), *choice)
    yield f"\n## The dimensions\n\n{SOURCE}\n"
    yield table(("name", "tasks", "stack", "I/O", "conflicts", "partitioning"), *dimensions)
    yield "\n## The way of a call\n\n"
    yield table(("name", "who accepts", "queue", "hand-off", "variants"), *calls)
    yield "\n## What the columns mean\n\n"
    yield table(("column", "meaning"), *COLUMNS.items())


def _section(model: Model) -> str:
    about = caption(model.name)
    parts = [f"\n## {model.name}\n", paragraph(sentence(model.caption)), "".join(_facts(model))]
    parts += [paragraph(plain(about.first)), fenced(textwrap.dedent(about.picture))]
    parts += ["".join(item(f"**{label}.** {plain(text)}") for label, text in about.about.items())]
    parts += [paragraph(plain(text)) for text in about.notes]
    if own := service_options.of_model(model.name):
        parts += [f"Options, beside those of {EVERY_SERVICE}:\n", own]
    return "\n".join(parts)


def _facts(model: Model) -> Iterator[str]:
    path = f"services/models/{model.name}.py"
    yield item(f"Choose it when: {model.choose_when}.")
    yield item(f"Code: [{path}](../{path}).")
    if model.needs:
        yield item(f"Packages: the extra {listed(model.needs)} of `pyproject.toml`.")
    if model.variants:
        yield item(f"Variants: {listed(map(' '.join, model.variants))}.")


def unescaped() -> list[str]:
    """The models whose own words would need an escape in a table."""
    return [model.name for model in MODELS.values() if set("|\n<") & set(model.caption + model.choose_when)]
