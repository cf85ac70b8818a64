"""`sweetspot explain`: one claim on one screen, and the calls that show it."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tools.claims import explanation, judged_run, reading, screen, timeline, tracing
from tools.claims.claim import Claim
from tools.claims.selection import choose
from tools.local import Programs
from tools.status import PlainError


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Raises PlainError for a claim that there is not, or that no single call can show."""
    results: Path = args.results or Path("results")
    claim = _one(reading.claims(), args.claim)
    last = judged_run.last(results, claim.claim)
    for line in screen.lines(console, list(explanation.rows(claim, results, last))):
        console.print(line, soft_wrap=True)
    if args.trace:
        console.print(Text("\nrunning a trial of each arm with every call traced: about 10 s", style="dim"))
        for arm, call in tracing.make(claim, programs).items():
            timeline.show(console, call, arm)
    return 0


def _one(every: Mapping[str, Claim], name: str) -> Claim:
    if name in every:
        return every[name]
    found = choose(every, [name])
    if len(found) > 1:
        raise PlainError(f"{name} has several claims: give one of {', '.join(claim.claim for claim in found)}")
    return found[0]
