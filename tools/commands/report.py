"""`sweetspot report`: writes the page of a results folder again."""

import argparse
import sys

from rich.console import Console

from tools.commands.page import show_report
from tools.local import Programs
from tools.status import FAILED


def execute(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    """Status 1 where a part could not be read."""
    unreadable = show_report(args.folder, console)
    for why in unreadable:
        print(f"sweetspot: {why}", file=sys.stderr)
    return FAILED if unreadable else 0
