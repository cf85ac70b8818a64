"""`sweetspot compare`: two results, a result and a baseline, the arms of one result, or two runs of claims."""

import argparse
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console

from tools import junit
from tools.claims import judged_run
from tools.claims.comparison import compare as compare_verdicts
from tools.claims.table import show_compared
from tools.compare import arms, figures
from tools.compare.conditions import differences
from tools.compare.figures import Figures
from tools.compare.runs import FigureComparison, compare
from tools.junit import Case
from tools.local import Programs
from tools.status import FAILED, PlainError
from tools.verify.claims import is_claims

MOST_NAMED = 6
"""Differences that a rejection names."""


def execute(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    """Status 1 where a result is worse than its baseline."""
    _check_flags(args)
    if args.other is None and args.baseline is None:
        if args.save is not None:
            figures.save(args.save, figures.of_folder(args.folder, args.reference))
        _print(console, list(arms.lines(args.folder)))
        return 0
    if args.other is not None and is_claims(args.folder) and is_claims(args.other):
        show_compared(console, compare_verdicts(judged_run.read(args.folder), judged_run.read(args.other)))
        return 0
    first, second = _both(args)
    found = list(differences((first.conditions, first.points), (second.conditions, second.points)))
    if found:
        more = f"; and in {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        why = f"{first.name} and {second.name} differ in {'; '.join(found[:MOST_NAMED])}{more}"
        if not args.anyway:
            raise PlainError(f"{why}: their figures are not comparable; --anyway compares them nevertheless")
        _print(console, [why])
    compared = compare(first, second)
    if all(one.ratio is None for one in compared):
        raise PlainError(f"{first.name} and {second.name} have no arm and point with a figure in both results")
    if args.save is not None:
        figures.save(args.save, second)
    if args.junit is not None:
        junit.write(args.junit, second.name, [_case(one, args.tolerance or 0.0) for one in compared])
    _print(console, map(str, compared))
    return _gate(args, compared) if args.baseline is not None else 0


def _both(args: argparse.Namespace) -> tuple[Figures, Figures]:
    if args.baseline is None:
        return figures.of_folder(args.folder, args.reference), figures.of_folder(args.other, args.reference)
    before = figures.read(args.baseline)
    return before, figures.of_folder(args.folder, before.reference)


def _case(one: FigureComparison, tolerance: float) -> Case:
    where = f"{one.figure.arm}.{one.figure.point}"
    if one.ratio is None:
        return Case(where, one.figure.measure, "skipped", one.why)
    return Case(where, one.figure.measure, "failure" if one.worse_by(tolerance) else "passed", str(one))


def _gate(args: argparse.Namespace, compared: Sequence[FigureComparison]) -> int:
    failed = sum(one.worse_by(args.tolerance or 0.0) for one in compared)
    if failed:
        print(f"sweetspot: {failed} of {len(compared)} figures are worse than in {args.baseline}", file=sys.stderr)
    return FAILED if failed else 0


def _check_flags(args: argparse.Namespace) -> None:
    """Raises PlainError for flags that exclude each other, or would change nothing."""
    if args.other is not None and args.baseline is not None:
        raise PlainError("give another RESULT or a --baseline, not both")
    needs = {
        "a --baseline": (args.baseline is None, ("junit", "tolerance")),
        "another RESULT or a --baseline": (args.other is None and args.baseline is None, ("anyway",)),
        "another RESULT or --save": (args.other is None and args.save is None, ("reference",)),
    }
    for what, (lacks, flags) in needs.items():
        for flag in flags:
            if lacks and getattr(args, flag):
                raise PlainError(f"--{flag} has no effect without {what}")
    if args.baseline is not None and args.reference is not None:
        raise PlainError("--reference has no effect with --baseline: the baseline has its own")


def _print(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
