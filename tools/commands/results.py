"""`sweetspot results`: lists and pulls what is stored in a cluster."""

import argparse
import sys

from rich.console import Console

from tools import bundle, experiment
from tools.cluster.api import Api
from tools.cluster.overview import overview
from tools.cluster.run import pull, pullable_run
from tools.command_names import RELEASE
from tools.commands.page import show_report
from tools.local import Programs
from tools.lock import locked
from tools.status import FAILED, VOID, PlainError
from tools.terminal import show_runs


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Status 1 where a part could not be read, 42 with --strict where a trial is void."""
    api, release = Api.connect(args.namespace), args.release or RELEASE
    runs = overview(api, release)
    if args.doing == "list":
        show_runs(console, runs)
        return 0
    if args.run == "latest" and not runs:
        raise PlainError(f"no run of release {release} in namespace {api.namespace}; try: helm list --all-namespaces")
    found = pullable_run(api, runs[-1].run if args.run == "latest" else args.run)
    folder = args.results / found.run
    with locked(folder):
        pulled = pull(api, found, folder, programs, release, despite_noise=args.despite_noise)
        bundle.close(folder, experiment.read(folder / "experiment.yaml").seed)
        unreadable = [*pulled.unreadable, *show_report(folder, console)]
    for why in [*(f"void: {why}" for why in pulled.void), *unreadable]:
        print(f"sweetspot: {why}", file=sys.stderr)
    if unreadable:
        return FAILED
    return VOID if pulled.void and args.strict else 0
