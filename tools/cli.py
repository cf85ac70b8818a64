"""The `sweetspot` command: its command line, and how it ends. What each command does is in tools/commands/.

Exit status 0 means success, also if trials are void. With --strict, void trials give 42. 1 means that trials failed for
another reason, or that the result is not complete. 2 means an error that a person can fix, with one line on stderr. 130
means an interrupt. Imports only the standard library: the libraries of the commands need up to 2 s, and an interrupt
may come in that time.
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
from tools.command_names import RELEASE, names
from tools.parser import Parser
from tools.plain_text import print_what_can_be_shown
from tools.status import INTERRUPTED, REFUSED

if TYPE_CHECKING:
    from tools.local import Programs

BALANCES = ("cluster-ip", "headless", "per-connection")
MAX_SHARDS = 100
MAX_COUNT = 100_000
MAX_NUMBER = 1_000_000
LEAST_CPUS, MOST_CPUS = 0.05, 1024
MAX_ROUNDS = 8
"""Of claims: the last look (tools/claims/decision.py)."""
OWN_PACKAGES = ("tools", "services", "sweetspot")
"""Packages of pyproject.toml. A missing module of these is a defect, not a library that was not installed."""
_EXACT: dict[str, Any] = {"allow_abbrev": False}


class _ShowVersion(argparse.Action):
    """Reads the version only when it is asked for: the import takes as long as the rest of the command line."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        print(f"{parser.prog} {version('sweetspot')}")
        parser.exit()


def main(arguments: Sequence[str] | None = None, programs: "Programs | None" = None) -> int:
    """Runs the command line, with those programs in the place of the usual ones. Returns the exit status."""
    # An interpreter that is interrupted while it ends prints a traceback, although the command is done.
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


def _parser() -> Parser:
    parser = Parser(prog="sweetspot", description="Measures every server concurrency model with one gRPC workload.")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="run an experiment here or in a cluster; write its report", **_EXACT)
    running.add_argument(
        "experiment",
        nargs="?",
        help=f"{', '.join(names())}, or the path of a YAML file",
        metavar="EXPERIMENT",
    )
    running.add_argument("--models", type=_names, metavar="A,B", help="run only these models")
    running.add_argument("--results", type=Path, metavar="DIR", help="parent folder of the results (results)")
    running.add_argument("--resume", type=Path, metavar="DIR", help="continue an interrupted run from its folder")
    _of_void(running)
    clustered = _of_cluster(running)
    clustered.add_argument(
        "--keep-pods", action="store_true", default=None, help="do not restart the services in each round"
    )
    _add_claims(commands)
    _add_explain(commands)
    _of_this_machine(commands)
    reporting = commands.add_parser("report", help="write the report of a results folder anew", **_EXACT)
    reporting.add_argument("folder", type=Path, metavar="DIR", help="such as results/default-20260131T120000Z")
    verifying = commands.add_parser("verify", help="check every file and number of a results folder", **_EXACT)
    verifying.add_argument("folder", type=Path, metavar="DIR", help="such as results/default-20260131T120000Z")
    _add_compare(commands)
    _add_export(commands)
    results = commands.add_parser("results", help="list or download the results stored in a cluster", **_EXACT)
    doing = results.add_subparsers(dest="doing", required=True, metavar="list|pull")
    _of_release(doing.add_parser("list", help="list the runs", **_EXACT))
    pulling = doing.add_parser("pull", help="download a run as a results folder with its report", **_EXACT)
    _of_release(pulling)
    pulling.add_argument("run", metavar="RUN", help="a name that `list` prints, or latest")
    pulling.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="parent folder of the results (results)"
    )
    _of_void(pulling)
    tracing = commands.add_parser(
        "traces", help="print links to a cluster run's traces; check that all exist", **_EXACT
    )
    tracing.add_argument("run", metavar="RUN", help="a results folder, or its name under results/")
    tracing.add_argument(
        "--jaeger",
        default="http://localhost:16686",
        metavar="URL",
        help="address of Jaeger for the browser (localhost:16686)",
    )
    costing = commands.add_parser("styles", help="show the cost of each handler style", **_EXACT)
    costing.add_argument("--json", action="store_true", help="print all figures as JSON")
    steering = commands.add_parser("stages", help="show or change the stages of a running service", **_EXACT)
    steps = steering.add_subparsers(dest="doing", required=True, metavar="show|set")
    showing = steps.add_parser("show", help="show each stage's queue, work and settings", **_EXACT)
    setting = steps.add_parser("set", help="change the settings of a stage", **_EXACT)
    for each in (showing, setting):
        each.add_argument("address", type=_address, metavar="ADDRESS", help="HOST:PORT of the service's control port")
    setting.add_argument("stage", metavar="STAGE", help="a name that `show` prints")
    setting.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="an unknown KEY prints the list of keys")
    return parser


def _of_void(parser: Any) -> None:
    parser.add_argument("--despite-noise", action="store_true", help="use trials that only a busy machine makes void")
    parser.add_argument("--strict", action="store_true", help="exit with status 42 if a trial is void")


def _of_cluster(parser: Any) -> Any:
    """Adds --cluster and its flags. Returns the group of those flags."""
    parser.add_argument(
        "--cluster", action="store_true", default=None, help="run in the cluster of the current kubectl context"
    )
    group = parser.add_argument_group("with --cluster")
    _of_release(group)
    group.add_argument("--shards", type=_shards, metavar="N", help="number of driver pods that share the load (1)")
    group.add_argument(
        "--balance", choices=BALANCES, help="how calls reach pods (cluster-ip; for a `scale`: per-connection)"
    )
    group.add_argument("--driver-cpu", type=_quantity, metavar="CPU", help="CPU of each driver pod (500m)")
    group.add_argument("--driver-memory", type=_quantity, metavar="MEM", help="memory of each driver pod (512Mi)")
    return group


def _add_claims(commands: Any) -> None:
    claiming = commands.add_parser(
        "claims", help="measure claims about concurrency models; a verdict on each", **_EXACT
    )
    claiming.add_argument("claims", nargs="*", metavar="CLAIM", help="such as C12 or L49, or all (a core set)")
    claiming.add_argument(
        "--list", action="store_true", help="list the claims, their needs and their last verdicts here"
    )
    claiming.add_argument("--check", action="store_true", help="exit with status 1 if a claim changed without a note")
    claiming.add_argument("--register", action="store_true", help="register all claims as they are now, for --check")
    claiming.add_argument("--results", type=Path, metavar="DIR", help="parent folder of the results (results)")
    claiming.add_argument("--resume", type=Path, metavar="DIR", help="continue an interrupted run from its folder")
    claiming.add_argument(
        "--baseline", type=Path, metavar="DIR", help="exit with status 1 if a verdict of that run is lost"
    )
    claiming.add_argument("--rounds", type=_rounds, metavar="N", help="most rounds (8); looks follow rounds 3, 5 and 8")
    claiming.add_argument(
        "--minutes", type=_minutes, metavar="N", help="start no look that would end later (70; up to 20 claims: 9.8)"
    )
    claiming.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML for the CI system")
    claiming.add_argument("--despite-noise", action="store_true", help="use trials that only a busy machine makes void")
    _of_cluster(claiming)


def _add_explain(commands: Any) -> None:
    explaining = commands.add_parser("explain", help="show a claim, its experiment and its verdict here", **_EXACT)
    explaining.add_argument("claim", metavar="CLAIM", help="such as C12")
    explaining.add_argument("--trace", action="store_true", help="run a short trial of each arm; show its slowest call")
    explaining.add_argument("--results", type=Path, metavar="DIR", help="parent folder of the runs (results)")


def _add_compare(commands: Any) -> None:
    comparing = commands.add_parser("compare", help="compare two results, or the arms of one", **_EXACT)
    comparing.add_argument("folder", type=Path, metavar="RESULT", help="such as results/default-20260131T120000Z")
    comparing.add_argument("other", type=Path, nargs="?", metavar="RESULT", help="the result to compare with the first")
    comparing.add_argument("--reference", type=_name, metavar="ARM", help="compare ratios to this arm in both results")
    comparing.add_argument("--anyway", action="store_true", help="compare although machine, packages or load differ")
    comparing.add_argument("--save", type=Path, metavar="FILE", help="save the figures of RESULT as a baseline")
    comparing.add_argument(
        "--baseline", type=Path, metavar="FILE", help="exit with status 1 if RESULT is worse than this baseline"
    )
    comparing.add_argument(
        "--tolerance", type=_tolerance, metavar="5%", help="how much worse than the baseline a figure may be (0%%)"
    )
    comparing.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML for the CI system")


def _add_export(commands: Any) -> None:
    exporting = commands.add_parser("export", help="write results for other tools", **_EXACT)
    exporting.add_argument("folder", type=Path, metavar="RESULT", help="such as results/default-20260131T120000Z")
    form = exporting.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", type=Path, metavar="DIR", help="folder for trials.csv and slices.csv")
    form.add_argument(
        "--hlog", type=Path, metavar="DIR", help="folder for HdrHistogram logs, one for each arm and point"
    )
    form.add_argument("--junit", type=Path, metavar="FILE", help="JUnit XML with a test case for each trial")
    form.add_argument("--verdicts", type=Path, metavar="FILE", help="all values of a run of claims as one JSON file")
    form.add_argument("--prometheus", type=Path, metavar="FILE", help="OpenMetrics text")


def _of_this_machine(commands: Any) -> None:
    """Adds the commands that measure this machine only."""
    calibrating = commands.add_parser("calibrate", help="measure the driver against a null server", **_EXACT)
    calibrating.add_argument("--results", type=Path, metavar="DIR", help="parent folder of the results (results)")
    bending = commands.add_parser("knee", help="search the highest rate at which a model meets an objective", **_EXACT)
    bending.add_argument("model", type=_name, metavar="MODEL", help="such as reactor")
    bending.add_argument("--slo", required=True, metavar="TEXT", help="objective, such as 'p99<50ms, errors<0.1%%'")
    bending.add_argument(
        "--plan", default="default", metavar="EXPERIMENT", help="experiment with the plan and the times (default)"
    )
    bending.add_argument("--connections", type=_count, default=100, metavar="N", help="number of clients (100)")
    bending.add_argument(
        "--starts", type=_count, default=3, metavar="N", help="starts of the service, one search each (3)"
    )
    bending.add_argument("--despite-noise", action="store_true", help="use trials that only a busy machine makes void")
    bending.add_argument("--results", type=Path, metavar="DIR", help="parent folder of the results (results)")
    _add_map(commands)
    _add_size(commands)


def _add_map(commands: Any) -> None:
    mapping = commands.add_parser(
        "map", help="show which model serves most, by cost of a call and connections", **_EXACT
    )
    mapping.add_argument(
        "--cpu-ms", type=_not_negatives, default=[0.1, 1.0], metavar="MS,MS", help="CPU times of a call (0.1,1)"
    )
    mapping.add_argument(
        "--wait-ms", type=_not_negatives, default=[0.0, 5.0, 50.0], metavar="MS,MS", help="waits of a call (0,5,50)"
    )
    mapping.add_argument(
        "--connections", type=_counts, default=[10, 100, 1000], metavar="N,N", help="clients (10,100,1000)"
    )
    mapping.add_argument("--models", type=_names, metavar="A,B", help="measure only these models")
    mapping.add_argument("--again", action="store_true", help="measure all anew, not only what is missing")
    mapping.add_argument("--results", type=Path, metavar="DIR", help="parent folder of the results (results)")


def _add_size(commands: Any) -> None:
    sizing = commands.add_parser("size", help="compute how many pods of which model serve a rate", **_EXACT)
    sizing.add_argument("--cpu-ms", type=_positive, metavar="MS", help="CPU time of your code in a call")
    sizing.add_argument("--wait-ms", type=_not_negative, metavar="MS", help="wait of a call, with --cpu-ms (0)")
    sizing.add_argument(
        "--from-traces", metavar="FILE|URL", help="take both from spans of your service: OTLP JSON or Jaeger's JSON"
    )
    sizing.add_argument("--service", metavar="NAME", help="the service in these spans, if they have several")
    sizing.add_argument(
        "--step",
        metavar="MODULE:FUNCTION",
        help="let each call run this function, which may block or be async",
    )
    sizing.add_argument("--rate", type=_positive, required=True, metavar="N", help="calls/s of all clients")
    sizing.add_argument("--connections", type=_count, default=100, metavar="N", help="number of clients (100)")
    sizing.add_argument("--slo", required=True, metavar="TEXT", help="objective, such as 'p99<100ms, errors<0.1%%'")
    sizing.add_argument(
        "--pod-cpus", type=_cpus, default=[1.0], metavar="N,N", help="CPU limits of a pod, such as 0.5,1,2 (1)"
    )
    sizing.add_argument(
        "--spare", type=_tolerance, default=0.3, metavar="30%", help="share of a pod's rate that stays free (30%%)"
    )
    sizing.add_argument("--models", type=_names, metavar="A,B", help="measure only these models")
    sizing.add_argument("--starts", type=_count, default=2, metavar="N", help="starts of each service (2)")
    sizing.add_argument(
        "--threads-per-cpu", type=_count, default=16, metavar="N", help="threads of a pool for each CPU (16)"
    )
    sizing.add_argument("--price", metavar="TEXT", help="price of a CPU, such as '0.04 EUR/cpu-hour'")
    sizing.add_argument(
        "--confirm", action="store_true", help="run each recommended shape at its rate for 60 s; status 1 if it fails"
    )
    sizing.add_argument("--results", type=Path, metavar="DIR", help="parent folder of the results (results)")
    _of_cluster(sizing)


def _of_release(parser: Any) -> None:
    parser.add_argument("--namespace", "-n", metavar="N", help="namespace (that of the kubectl context)")
    parser.add_argument("--release", metavar="R", help=f"release of the chart ({RELEASE})")


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
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 0% to below 100%, such as 5%")
    return share


def _not_negative(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= MAX_NUMBER:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number within 0 to {MAX_NUMBER:,}")
    return number


def _not_negatives(text: str) -> list[float]:
    return sorted(set(map(_not_negative, text.split(","))))


def _counts(text: str) -> list[int]:
    return sorted(set(map(_count, text.split(","))))


def _positive(text: str) -> float:
    number = _not_negative(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _cpus(text: str) -> list[float]:
    numbers = list(dict.fromkeys(map(_positive, text.split(","))))
    for number in numbers:
        if not LEAST_CPUS <= number <= MOST_CPUS:
            raise argparse.ArgumentTypeError(f"{number:g} is not a number of CPUs within {LEAST_CPUS} to {MOST_CPUS:,}")
    return numbers


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
