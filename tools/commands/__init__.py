"""What each `sweetspot` command does: has it done, and shows the outcome. Must not know how any of it is done.

A command is the module of its name, with a function `execute`. A module imports by itself what only one command needs,
and what is needed only after a run: libraries for pages and for fits need 2 s, and a person waits for the first line.
"""

import argparse
import sys
from importlib import import_module

from rich.console import Console

from tools.local import Programs
from tools.status import REFUSED, PlainError


def execute(args: argparse.Namespace, programs: Programs | None) -> int:
    """Does what the command line asks. Returns the exit status; raises KeyboardInterrupt."""
    console = Console(highlight=False)
    try:
        status: int = import_module(f"tools.commands.{args.command}").execute(args, console, programs or Programs())
    except PlainError as error:
        print(f"sweetspot: {error}", file=sys.stderr)
        return REFUSED
    return status
