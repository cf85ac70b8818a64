"""`sweetspot traces`: links into the Jaeger of a cluster, and whether every span is there."""

import argparse
from pathlib import Path

from rich.console import Console

from tools import traces
from tools.cluster import jaeger
from tools.commands.clusters import cluster_of
from tools.local import Programs
from tools.results import read_trials
from tools.status import FAILED
from tools.terminal import show_traces


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Status 1 where spans are missing."""
    folder = Path(args.run) if Path(args.run).is_dir() else Path("results") / args.run
    trials = read_trials(folder).trials
    cluster = cluster_of(folder, programs)
    release = cluster.release
    service = jaeger.service(release)
    console.print(
        f"{traces.port_forward(release.api.namespace, service)}   # then the links work",
        markup=False,
        soft_wrap=True,
    )
    short = False
    for trial in trials:
        stored, there = jaeger.count_spans(release, trial, cluster.run)
        tally = traces.tallies(trial, stored)
        missing = list(traces.shortfalls(trial, tally, len(there)))
        show_traces(console, trial, tally, missing, traces.Jaeger(args.jaeger.rstrip("/"), cluster.run))
        short = short or bool(missing)
    return FAILED if short else 0
