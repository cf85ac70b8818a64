"""The `sweetspot` command: its command line, and how it ends. What each command does is in tools/commands/.

Exit status: 0, also where trials are void; 42 for that with --strict; 1 when trials failed for another reason, or what
was asked for is not whole; 2 for what a person can put right, in one line on stderr; 130 when interrupted. Imports the
standard library alone: the libraries of the commands need up to 2 s, and an interrupt may come in that time.
"""

import argparse
import atexit
import math
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tools.address import Address
from tools.cluster.room import amount
from tools.named import RELEASE, names
from tools.plain import print_what_can_be_shown
from tools.status import INTERRUPTED, REFUSED

if TYPE_CHECKING:
    from tools.local import Programs

BALANCES = ("cluster-ip", "headless", "per-connection")
MAX_SHARDS = 100
MAX_COUNT = 100_000
MAX_ROUNDS = 8
"""Of claims: the last look (tools/claims/decision.py)."""
OWN_PACKAGES = ("tools", "services", "sweetspot")
"""Of pyproject.toml: what is missing of these is a defect, not a library that was not installed."""
_EXACT: dict[str, Any] = {"allow_abbrev": False}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {message} (--help shows every flag)\n")


class _ShowVersion(argparse.Action):
    """Reads the version only when it is asked for: the import takes as long as the rest of the command line."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        print(f"{parser.prog} {version('sweetspot')}")
        parser.exit()


def main(arguments: Sequence[str] | None = None, programs: "Programs | None" = None) -> int:
    """Runs the command line, with those programs in the place of the usual ones. Returns the exit status."""
    # An interpreter that is interrupted while it ends prints a traceback, though all is done.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        print_what_can_be_shown()
        args = _parser().parse_args(arguments)
        from tools import commands  # noqa: PLC0415  (see above)

        return commands.execute(args, programs)
    except KeyboardInterrupt:
        print("sweetspot: interrupted", file=sys.stderr)
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OWN_PACKAGES:
            raise
        print(f"sweetspot: {error.name} is missing: install sweetspot with its extras tools, driver", file=sys.stderr)
        return REFUSED


def _parser() -> _Parser:
    parser = _Parser(prog="sweetspot", description="Every server concurrency model behind one gRPC workload.")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="run an experiment, here or in a cluster, and report on it", **_EXACT)
    running.add_argument(
        "experiment",
        nargs="?",
        help=f"{', '.join(names())}, or the path of a YAML file",
        metavar="EXPERIMENT",
    )
    running.add_argument("--models", type=_names, metavar="A,B", help="only these models")
    running.add_argument("--results", type=Path, metavar="DIR", help="where to keep it (results)")
    running.add_argument("--resume", type=Path, metavar="DIR", help="go on with an interrupted run: do what is missing")
    _of_void(running)
    clustered = _of_cluster(running)
    clustered.add_argument(
        "--keep-pods", action="store_true", default=None, help="do not start services anew in each round"
    )
    _add_claims(commands)
    _add_explain(commands)
    _of_this_machine(commands)
    reporting = commands.add_parser("report", help="write the report of a results folder again", **_EXACT)
    reporting.add_argument("folder", type=Path, metavar="DIR", help="as results/default-20260131T120000Z")
    verifying = commands.add_parser("verify", help="check every file and number of a results folder", **_EXACT)
    verifying.add_argument("folder", type=Path, metavar="DIR", help="as results/default-20260131T120000Z")
    _add_compare(commands)
    _add_export(commands)
    kept = commands.add_parser("results", help="results that are kept in a cluster: list or pull them", **_EXACT)
    doing = kept.add_subparsers(dest="doing", required=True, metavar="list|pull")
    _of_release(doing.add_parser("list", help="the runs there are", **_EXACT))
    pulling = doing.add_parser("pull", help="make a run's results folder here, with its report", **_EXACT)
    _of_release(pulling)
    pulling.add_argument("run", metavar="RUN", help="as `list` says, or latest")
    pulling.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where to put it (results)"
    )
    _of_void(pulling)
    tracing = commands.add_parser("traces", help="links to a cluster run's traces, and whether all are there", **_EXACT)
    tracing.add_argument("run", metavar="RUN", help="a results folder, or its name under results/")
    tracing.add_argument(
        "--jaeger",
        default="http://localhost:16686",
        metavar="URL",
        help="of Jaeger, for your browser (localhost:16686)",
    )
    costing = commands.add_parser("styles", help="show what each style of a handler costs", **_EXACT)
    costing.add_argument("--json", action="store_true", help="all figures, as JSON")
    steering = commands.add_parser("stages", help="show and steer the stages of a service that runs", **_EXACT)
    steps = steering.add_subparsers(dest="doing", required=True, metavar="show|set")
    showing = steps.add_parser("show", help="each stage's queue, work and settings", **_EXACT)
    setting = steps.add_parser("set", help="change the settings of a stage", **_EXACT)
    for each in (showing, setting):
        each.add_argument("address", type=_address, metavar="ADDRESS", help="HOST:PORT of its control port")
    setting.add_argument("stage", metavar="STAGE", help="as `show` names it")
    setting.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="a wrong KEY lists all")
    return parser


def _of_void(parser: Any) -> None:
    parser.add_argument("--despite-noise", action="store_true", help="show figures that a busy machine makes void too")
    parser.add_argument("--strict", action="store_true", help="exit with status 42 where a trial is void")


def _of_cluster(parser: Any) -> Any:
    """Adds where to run; the group of flags that --cluster takes."""
    parser.add_argument(
        "--cluster", action="store_true", default=None, help="in the cluster of the current kubectl context"
    )
    group = parser.add_argument_group("with --cluster")
    _of_release(group)
    group.add_argument("--shards", type=_shards, metavar="N", help="driver pods that share the load (1)")
    group.add_argument(
        "--balance", choices=BALANCES, help="how calls find pods (cluster-ip; in a `scale`: per-connection)"
    )
    group.add_argument("--driver-cpu", type=_quantity, metavar="CPU", help="of each driver pod (500m)")
    group.add_argument("--driver-memory", type=_quantity, metavar="MEM", help="of each driver pod (512Mi)")
    return group


def _add_claims(commands: Any) -> None:
    claiming = commands.add_parser("claims", help="measure the claims of the notes: a verdict on each", **_EXACT)
    claiming.add_argument("claims", nargs="*", metavar="CLAIM", help="as C12 or L49, or all (a core)")
    claiming.add_argument("--list", action="store_true", help="show each claim, its needs and its last verdict here")
    claiming.add_argument("--check", action="store_true", help="exit with 1 where a claim changed without a note")
    claiming.add_argument("--register", action="store_true", help="register each claim as it is now, for --check")
    claiming.add_argument("--results", type=Path, metavar="DIR", help="where to keep it (results)")
    claiming.add_argument("--resume", type=Path, metavar="DIR", help="go on with an interrupted run")
    claiming.add_argument(
        "--baseline", type=Path, metavar="DIR", help="exit with 1 where it had a verdict that is lost"
    )
    claiming.add_argument("--rounds", type=_rounds, metavar="N", help="at most so many: 3, 5 or 8 make a look (8)")
    claiming.add_argument(
        "--minutes", type=_minutes, metavar="N", help="look no further than in so long (70; of up to 20 claims, 9)"
    )
    claiming.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML for the CI system")
    claiming.add_argument("--despite-noise", action="store_true", help="use trials that a busy machine makes void too")
    _of_cluster(claiming)


def _add_explain(commands: Any) -> None:
    explaining = commands.add_parser("explain", help="show a claim, its experiment and its verdict here", **_EXACT)
    explaining.add_argument("claim", metavar="CLAIM", help="as C12")
    explaining.add_argument("--trace", action="store_true", help="make a short trial, and show the slowest call of it")
    explaining.add_argument("--results", type=Path, metavar="DIR", help="where runs are kept (results)")


def _add_compare(commands: Any) -> None:
    comparing = commands.add_parser("compare", help="compare two results, or the arms of one", **_EXACT)
    comparing.add_argument("folder", type=Path, metavar="RESULT", help="as results/default-20260131T120000Z")
    comparing.add_argument("other", type=Path, nargs="?", metavar="RESULT", help="the one to compare with the first")
    comparing.add_argument("--reference", type=_name, metavar="ARM", help="compare the ratios to this arm of both")
    comparing.add_argument("--anyway", action="store_true", help="also where machine, packages or load differ")
    comparing.add_argument("--save", type=Path, metavar="FILE", help="keep the figures of RESULT as a baseline")
    comparing.add_argument("--baseline", type=Path, metavar="FILE", help="exit with 1 where RESULT is worse than this")
    comparing.add_argument("--tolerance", type=_tolerance, metavar="5%", help="by how much it may be worse (0%%)")
    comparing.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML for the CI system")


def _add_export(commands: Any) -> None:
    exporting = commands.add_parser("export", help="write results for other tools", **_EXACT)
    exporting.add_argument("folder", type=Path, metavar="RESULT", help="as results/default-20260131T120000Z")
    form = exporting.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", type=Path, metavar="DIR", help="trials.csv and slices.csv")
    form.add_argument("--hlog", type=Path, metavar="DIR", help="HdrHistogram logs, one for each arm and point")
    form.add_argument("--junit", type=Path, metavar="FILE", help="JUnit XML, a testcase for each trial")
    form.add_argument("--verdicts", type=Path, metavar="FILE", help="of claims: all their values as one JSON file")
    form.add_argument("--prometheus", type=Path, metavar="FILE", help="OpenMetrics text")


def _of_this_machine(commands: Any) -> None:
    """Adds what a cluster has no part in."""
    calibrating = commands.add_parser("calibrate", help="measure the driver against a null server", **_EXACT)
    calibrating.add_argument("--results", type=Path, metavar="DIR", help="where to keep it (results)")
    bending = commands.add_parser("knee", help="the highest rate at which a model meets an objective", **_EXACT)
    bending.add_argument("model", type=_name, metavar="MODEL", help="as reactor")
    bending.add_argument("--slo", required=True, metavar="TEXT", help="as 'p99<50ms, errors<0.1%%'")
    bending.add_argument("--plan", default="default", metavar="EXPERIMENT", help="whose plan and times (default)")
    bending.add_argument("--connections", type=_count, default=100, metavar="N", help="clients (100)")
    bending.add_argument("--starts", type=_count, default=3, metavar="N", help="of the service: one search each (3)")
    bending.add_argument("--despite-noise", action="store_true", help="count searches that a busy machine makes void")
    bending.add_argument("--results", type=Path, metavar="DIR", help="where to keep it (results)")


def _of_release(parser: Any) -> None:
    parser.add_argument("--namespace", "-n", metavar="N", help="(that of the kubectl context)")
    parser.add_argument("--release", metavar="R", help=f"of the chart ({RELEASE})")


def _shards(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MAX_SHARDS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number within 1 to {MAX_SHARDS}")
    return int(text)


def _quantity(text: str) -> str:
    try:
        amount(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _address(text: str) -> str:
    try:
        return str(Address.parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _tolerance(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not (text.endswith("%") and 0 <= share < 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no share such as 5%")
    return share


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MAX_COUNT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number within 1 to {MAX_COUNT:,}")
    return int(text)


def _rounds(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MAX_ROUNDS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number within 1 to {MAX_ROUNDS}, the last look")
    return int(text)


def _minutes(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0")


def _name(text: str) -> str:
    return text.strip().replace("-", "_")


def _names(text: str) -> list[str]:
    return list(map(_name, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
