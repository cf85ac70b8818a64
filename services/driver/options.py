"""What a run is asked to do: the command line as one frozen value.

Knows flags and their ranges. Must not know how load is made, nor open a socket, nor a file but one that is replayed.
"""

import argparse
import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NoReturn, TypeVar, get_args

from services.driver.balance import Balance
from services.driver.schedule import Arrival, Replay, Schedule
from services.driver.schedule_text import MAX_RATE_RPS, ScheduleError, read_schedule
from services.driver.shard import Shard
from services.network.address import Address

_Number = TypeVar("_Number", int, float)

Method = Literal["Run", "RunStream"]

MAX_CONNECTIONS = 100_000
MAX_DURATION_S = 86_400.0
# The histograms reach no further, so a call may not take longer and still count as answered.
MAX_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Options:
    """A whole run, of which this driver does its shard. Exactly one of `streams` (closed loop), `rate_rps` and
    `schedule` (open loop) is set."""

    addresses: tuple[Address, ...]
    balance: Balance
    resolve_s: float
    shard: Shard
    barrier: Address | None
    barrier_timeout_s: float
    processes: int
    """Of this machine, each a shard."""
    connections: int
    idle: int
    """Further connections, which carry no calls."""
    calls_per_connection: int | None
    """After so many a client closes its connection and opens another; None: never."""
    streams: int | None
    rate_rps: float | None
    schedule: Schedule | None
    arrival: Arrival
    warmup_s: float
    duration_s: float
    timeout_s: float
    deadline_s: float | None
    """What `within_deadline` goes by; nothing ends at it."""
    method: Method
    plan: Path
    out: Path
    trace_ratio: float
    trace_file: Path | None
    run: str | None
    """Attributes of the calls' spans: this one, `trial` and `model`."""
    trial: str | None
    model: str | None
    seed: int


_SCHEDULE_HELP = "open loop with changing rates: steps:100@2s,200@2s ramp:100-400@10s burst:50+500@0.1s/1s replay:FILE"
_DEADLINE_HELP = "count calls answered within S seconds of their intended send; does not end a call (none)"
_IDLE_HELP = "additional connections that stay open without calls (0)"
_CALLS_PER_CONNECTION_HELP = "calls on a connection before it is closed and a new one is opened (never)"
_RESOLVE_HELP = "seconds between two lookups of the name, except for cluster-ip; 0: only after a connection ended (5)"

_TRACE_FILE_HELP = "file for spans, as OTLP JSON lines; unused if OTEL_EXPORTER_OTLP_ENDPOINT is set"


class OptionError(Exception):
    """What is wrong with a command line, in one line that names the flag."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message} (python -m services.driver --help lists all flags)")


def parse(arguments: Sequence[str]) -> Options:
    """Reads the command line. Raises OptionError."""
    return _read(_whole_parser(), arguments)


def parse_slices(arguments: Sequence[str]) -> Options:
    """Reads the flags of what is loaded in slices: neither where a result goes nor other shards. Raises OptionError."""
    return _read(_slices_parser(), arguments)


@cache
def _whole_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m services.driver",
        description="Sends the calls of one plan to services, and records how each call ended.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--shard", type=_shard, default=Shard(), metavar="I/N", help="send part I of N of the load, from 0 (0/1: all)")
    add("--barrier", type=_address, metavar="HOST:PORT", help="shard 0 listens on PORT; the others connect to it")
    add(
        "--barrier-timeout",
        type=_number(float, 0.1, 3600),
        default=60.0,
        metavar="S",
        help="seconds to wait for all shards (60)",
    )
    add(
        "--processes",
        type=_number(int, 1, 1024),
        default=1,
        metavar="N",
        help="processes on this machine that share the load (1)",
    )
    add("--out", required=True, type=Path, metavar="FILE.json", help="file for the result")
    _add_load(parser)
    return parser


@cache
def _slices_parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.set_defaults(shard=Shard(), barrier=None, barrier_timeout=0.0, processes=1, out=Path(os.devnull))
    _add_load(parser)
    return parser


def _add_load(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--address",
        required=True,
        type=_addresses,
        metavar="HOST:PORT[,HOST:PORT]",
        help="services; connections use them in turn",
    )
    add("--balance", choices=get_args(Balance), default="cluster-ip", help="how connections choose a pod (cluster-ip)")
    add("--resolve", type=_number(float, 0, 3600), default=5.0, metavar="S", help=_RESOLVE_HELP)
    add("--connections", required=True, type=_number(int, 1, MAX_CONNECTIONS), metavar="C", help="connections to open")
    add("--idle", type=_number(int, 0, MAX_CONNECTIONS), default=0, metavar="N", help=_IDLE_HELP)
    add("--calls-per-connection", type=_number(int, 1, 2**31 - 1), metavar="N", help=_CALLS_PER_CONNECTION_HELP)
    loop = parser.add_mutually_exclusive_group(required=True)
    loop.add_argument(
        "--streams",
        type=_number(int, 1, 100_000),
        metavar="S",
        help="closed loop: calls that are always open on each connection",
    )
    loop.add_argument(
        "--rate",
        type=_number(float, 0.001, MAX_RATE_RPS),
        metavar="R",
        help="open loop: calls per second over all connections",
    )
    loop.add_argument("--schedule", type=_schedule, metavar="TEXT", help=_SCHEDULE_HELP)
    add("--arrival", choices=get_args(Arrival), help="open loop: spacing of the calls (constant)")
    add(
        "--duration", type=_number(float, 0.01, MAX_DURATION_S), default=5.0, metavar="S", help="seconds to measure (5)"
    )
    add(
        "--warmup",
        type=_number(float, 0, MAX_DURATION_S),
        default=1.0,
        metavar="S",
        help="seconds of load before measuring (1)",
    )
    add(
        "--timeout",
        type=_number(float, 0.001, MAX_TIMEOUT_S),
        default=10.0,
        metavar="S",
        help="seconds that a call may take (10)",
    )
    add("--deadline", type=_number(float, 0.001, MAX_TIMEOUT_S), metavar="S", help=_DEADLINE_HELP)
    add(
        "--method", choices=get_args(Method), default="Run", help="Run, or RunStream with a reply after each step (Run)"
    )
    add("--plan", required=True, type=Path, metavar="FILE", help="YAML or JSON file: a RunRequest, or a mix of several")
    add(
        "--trace-ratio",
        type=_number(float, 0, 1),
        default=0.0,
        metavar="X",
        help="share of the calls that are traced, 0 to 1 (0)",
    )
    add("--trace-file", type=Path, metavar="FILE", help=_TRACE_FILE_HELP)
    for label in ("run", "trial", "model"):
        add(f"--{label}", metavar="NAME", help=f"name of the {label} in the spans of traced calls (none)")
    add(
        "--seed",
        type=_number(int, 0, 2**63 - 1),
        default=1,
        metavar="N",
        help="seed for arrivals and for the choice of traced calls (1)",
    )


def _read(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Options:
    args = parser.parse_args(arguments)
    if args.arrival and args.streams is not None:
        parser.error("argument --arrival: only an open loop (--rate or --schedule) has arrivals")
    if args.arrival and isinstance(args.schedule, Replay):
        parser.error("argument --arrival: a replayed schedule has its own arrivals; remove --arrival")
    if args.shard.of > 1 and args.barrier is None:
        parser.error("argument --shard: shards need a --barrier to start at the same time")
    if args.processes > 1 and args.barrier is not None:
        parser.error("argument --processes: a shard with a --barrier is one process; start more shards instead")
    if args.processes > args.connections:
        parser.error(
            f"argument --processes: {args.processes} need at least as many --connections, not {args.connections}"
        )
    if args.shard.of > args.connections:
        parser.error(
            f"argument --shard: {args.shard.of} shards need at least as many --connections, not {args.connections}"
        )
    return Options(
        addresses=args.address,
        balance=args.balance,
        resolve_s=args.resolve,
        shard=args.shard,
        barrier=args.barrier,
        barrier_timeout_s=args.barrier_timeout,
        processes=args.processes,
        connections=args.connections,
        idle=args.idle,
        calls_per_connection=args.calls_per_connection,
        streams=args.streams,
        rate_rps=args.rate,
        schedule=args.schedule,
        arrival=args.arrival or "constant",
        warmup_s=args.warmup,
        duration_s=args.duration,
        timeout_s=args.timeout,
        deadline_s=args.deadline,
        method=args.method,
        plan=args.plan,
        out=args.out,
        trace_ratio=args.trace_ratio,
        trace_file=args.trace_file,
        run=args.run,
        trial=args.trial,
        model=args.model,
        seed=args.seed,
    )


def _number(kind: Callable[[str], _Number], low: _Number, high: _Number) -> Callable[[str], _Number]:
    def convert(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not (math.isfinite(value) and low <= value <= high):
            raise argparse.ArgumentTypeError(f"{text} is not within {low:,} to {high:,}")
        return value

    return convert


def _schedule(text: str) -> Schedule:
    try:
        return read_schedule(text)
    except ScheduleError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _addresses(text: str) -> tuple[Address, ...]:
    addresses = tuple(_address(part.strip()) for part in text.split(","))
    for address, times in Counter(addresses).items():
        if times > 1:
            raise argparse.ArgumentTypeError(f"{address} is given {times} times: give each address once")
    return addresses


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
