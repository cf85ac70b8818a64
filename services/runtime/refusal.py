"""How a process of a service gives up: in one line on stderr, which names what an operator can mend."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

NOT_HERE = 3
"""The exit code where the command is right, but this machine has not, or forbids, what a model is made of."""


class NotHereError(Exception):
    """One line that names what the model needs and this machine lacks. Nothing is taken instead."""


def refuse(message: str, code: int = 2) -> NoReturn:
    """One line on stderr, and the end."""
    print(message, file=sys.stderr)
    sys.exit(code)


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Ends the process with one line that begins with `name`, if a system call fails or a package is missing."""
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        refuse(f"{name}: {what}: {error.filename}" if error.filename else f"{name}: {what}")
    except NotHereError as error:
        refuse(f"{name}: {error}", NOT_HERE)
    except ModuleNotFoundError as error:
        refuse(f"{name} needs the package {error.name!r}, which is not installed")
