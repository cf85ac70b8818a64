"""`sweetspot verify`: whether a results folder is as its run left it."""

import argparse

from rich.console import Console

from tools.local import Programs
from tools.status import FAILED
from tools.verify import verify
from tools.verify.claims import is_claims, verify_claims


def execute(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    """Status 1 where a file or a number is not as it was."""
    what, problems = verify_claims(args.folder) if is_claims(args.folder) else verify(args.folder)
    for line in problems or [f"{what}, all numbers recomputed: unchanged"]:
        console.print(line, markup=False, soft_wrap=True)
    return FAILED if problems else 0
