"""`sweetspot verify`: whether a results folder is as its run left it."""

import argparse

from rich.console import Console

from tools.local import Programs
from tools.maps import map_file
from tools.status import FAILED
from tools.verify import verify
from tools.verify.claims import is_claims, verify_claims
from tools.verify.maps import verify_map


def execute(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    """Status 1 where a file or a number is not as it was."""
    if is_claims(args.folder):
        what, problems = verify_claims(args.folder)
    elif (made := map_file.read(args.folder)) is not None:
        what, problems = verify_map(args.folder, made)
    else:
        what, problems = verify(args.folder)
    for line in problems or [f"{what}, all numbers recomputed: unchanged"]:
        console.print(line, markup=False, soft_wrap=True)
    return FAILED if problems else 0
