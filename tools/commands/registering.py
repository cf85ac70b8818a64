"""`sweetspot claims --check` and `--register`: whether claims are decided by what they were registered with."""

import argparse
import sys

from rich.console import Console

from tools.claims import changed, reading
from tools.status import FAILED, REFUSED
from tools.units import count


def execute(args: argparse.Namespace, console: Console) -> int:
    """Status 1 where a claim is not as it was registered, 2 where one cannot be read."""
    if unreadable := reading.unreadable():
        for line in unreadable:
            print(f"sweetspot: {line}", file=sys.stderr)
        return REFUSED
    every, register = reading.claims(), changed.read(changed.PATH)
    if args.register:
        changed.write(changed.registered(every, register, reading.EXPERIMENTS), changed.PATH)
        console.print(f"{count(len(every))} claims registered in {changed.PATH}", markup=False, soft_wrap=True)
        return 0
    problems = changed.check(every, register, reading.EXPERIMENTS)
    for line in problems or [f"{count(len(every))} claims, each as it was registered"]:
        console.print(line, markup=False, soft_wrap=True)
    return FAILED if problems else 0
