"""`sweetspot claims --check` and `--register`: whether claims are decided by what they were registered with."""

import argparse
import sys

from rich.console import Console

from tools.claims import reading, registration
from tools.status import FAILED, REFUSED
from tools.units import count


def execute(args: argparse.Namespace, console: Console) -> int:
    """Status 1 where a claim is not as it was registered, 2 where one cannot be read."""
    if unreadable := reading.unreadable():
        for line in unreadable:
            print(f"sweetspot: {line}", file=sys.stderr)
        return REFUSED
    every, register = reading.claims(), registration.read(registration.PATH)
    if args.register:
        registration.write(registration.registered(every, register, reading.EXPERIMENTS), registration.PATH)
        console.print(f"{count(len(every))} claims registered in {registration.PATH}", markup=False, soft_wrap=True)
        return 0
    problems = registration.check(every, register, reading.EXPERIMENTS)
    for line in problems or [f"{count(len(every))} claims, each as it was registered"]:
        console.print(line, markup=False, soft_wrap=True)
    return FAILED if problems else 0
