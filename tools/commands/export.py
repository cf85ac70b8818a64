"""`sweetspot export`: results in the formats of other tools."""

import argparse
from pathlib import Path

from rich.console import Console

from tools import closed_folder
from tools.export import cases, hlog, openmetrics, tables
from tools.local import Programs
from tools.status import PlainError


def execute(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    """Prints what was written where."""
    if args.verdicts:
        from tools.claims import judged_run, publication  # noqa: PLC0415  (scipy)

        claims = judged_run.read(args.folder)
        publication.write(args.verdicts, claims)
        console.print(f"{len(claims.judged)} claims: {args.verdicts}", markup=False, soft_wrap=True)
        return 0
    found = closed_folder.read(args.folder)
    path: Path = args.csv or args.hlog or args.junit or args.prometheus
    if args.folder.resolve() in (path.resolve(), *path.resolve().parents):
        raise PlainError(f"{path}: is inside {args.folder}, which must not change: choose another path")
    if args.csv:
        tables.write(path, found)
    elif args.hlog:
        hlog.write(path, found.trials)
    elif args.junit:
        cases.write(path, args.folder, found)
    else:
        openmetrics.write(path, found.trials)
    void = f" ({len(found.void)} void ones have no figures)" if found.void else ""
    console.print(f"{len(found.trials)} trials{void}: {path}", markup=False, soft_wrap=True)
    return 0
