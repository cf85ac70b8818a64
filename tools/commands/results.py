"""`sweetspot results`: lists and pulls what is kept in a cluster."""

import argparse
import sys

from rich.console import Console

from tools.cluster.api import Api
from tools.cluster.overview import overview
from tools.cluster.run import find, pull
from tools.commands.page import show_report
from tools.local import Programs
from tools.lock import locked
from tools.named import RELEASE
from tools.status import FAILED, PlainError
from tools.terminal import show_kept


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Status 1 where a trial is void, or could not be read."""
    api, release = Api.connect(args.namespace), args.release or RELEASE
    kept = overview(api, release)
    if args.doing == "list":
        show_kept(console, kept)
        return 0
    if args.run == "latest" and not kept:
        raise PlainError(f"no run of release {release} in namespace {api.namespace}; try: helm list --all-namespaces")
    found = find(api, kept[-1].run if args.run == "latest" else args.run)
    folder = args.results / found.run
    with locked(folder):
        problems = [f"void: {why}" for why in pull(api, found, folder, programs, release)]
        problems += show_report(folder, console)
    for why in problems:
        print(f"sweetspot: {why}", file=sys.stderr)
    return FAILED if problems else 0
