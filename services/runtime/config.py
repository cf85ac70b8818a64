"""The options of a service. Each is stated once; its flag, its variable and its help follow from that."""

import argparse
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from services.network.address import Address
from services.runtime.demultiplexer import DEMULTIPLEXERS
from services.runtime.policy import POLICIES
from services.runtime.quota import usable_cpus
from services.workload import own
from services.workload.callback_styles import CALLBACK_STYLES
from services.workload.ledger import STRATEGIES

ENV_PREFIX = "SWEETSPOT_"
MAX_PROCESSES = 1024
BALANCES = ("round-robin", "least-connections", "random", "kernel")


@dataclass(frozen=True, slots=True)
class Whole:
    """Parses a whole number within bounds."""

    least: int
    most: int

    def __call__(self, text: str) -> int:
        """Raises ValueError."""
        value = int(text)
        if not self.least <= value <= self.most:
            raise ValueError(f"{value} is not within {self.least} to {self.most}")
        return value


@dataclass(frozen=True, slots=True)
class Seconds:
    """Parses seconds within bounds."""

    least: float
    most: float

    def __call__(self, text: str) -> float:
        """Raises ValueError."""
        value = float(text)
        if not self.least <= value <= self.most:
            raise ValueError(f"{value} s is not within {self.least:g} to {self.most:g}")
        return value


@dataclass(frozen=True, slots=True)
class OneOf:
    """Parses one of a few words."""

    words: tuple[str, ...]

    def __call__(self, text: str) -> str:
        """Raises ValueError."""
        if text not in self.words:
            raise ValueError(f"{text!r} is not one of {', '.join(self.words)}")
        return text


@dataclass(frozen=True, slots=True)
class Matching:
    """Parses text of a form."""

    pattern: str
    """A regular expression for all of the text."""
    form: str
    """The same for a person, with an example."""

    def __call__(self, text: str) -> str:
        """Raises ValueError."""
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(f"{text!r} is not {self.form}")
        return text


def _option(
    default: Any, parse: Any, text: str, *, models: tuple[str, ...] = (), defaults: Mapping[str, Any] | None = None
) -> Any:
    """`models` are the only ones that have the option; all have it where none is named.

    `defaults` has the default of each model that has another one.
    """
    return field(default=default, metadata={"parse": parse, "help": text, "models": models, "defaults": defaults or {}})


def _choice(text: str, **choices: Iterable[str]) -> Any:
    """`choices` of each model that has the option; the first is its default."""
    of_models = {model: tuple(of_model) for model, of_model in choices.items()}
    default = next(iter(of_models.values()))[0]
    return field(default=default, metadata={"choices": of_models, "help": text, "models": tuple(of_models)})


def _true_or_false(text: str) -> bool:
    """In the one spelling that YAML, JSON and the chart have."""
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def _switch(text: str, *, models: tuple[str, ...] = ()) -> Any:
    """An option that is off unless given: as a flag without a value, as a variable with `true`."""
    return _option(False, _true_or_false, text, models=models)


_port = Whole(0, 65_535)
_seconds = Seconds(0, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Options of every service."""

    host: str = _option("127.0.0.1", str, "address to listen on; :: means every address, IPv4 and IPv6")
    port: int = _option(0, _port, "port for calls; 0 picks a free port")
    control_port: int = _option(0, _port, "port for health checks, reflection and Control; 0 picks a free port")
    metrics_port: int | None = _option(None, _port, "port for Prometheus metrics, by default none; 0 picks a free port")
    backend: Address | None = _option(None, Address.parse, "HOST:PORT of the backend that `call` steps use")
    tls_cert: Path | None = _option(None, Path, "PEM file of the certificate chain; the service then accepts only TLS")
    tls_key: Path | None = _option(None, Path, "PEM file of the certificate's private key")
    tls_client_ca: Path | None = _option(
        None, Path, "PEM file of the authorities that must have signed the clients' certificates"
    )
    threads_per_cpu: int = _option(
        16, Whole(1, 1024), "threads for each CPU that the quota allows, in a pool or in all processes together"
    )
    processes: int = _option(
        0,
        Whole(0, MAX_PROCESSES),
        "processes that serve; 0: as many as the CPU quota allows",
        models=(
            "process_pool",
            "multi_reactor",
            "partitioned",
            "proactor",
            "coroutines",
            "grpcio_threads",
            "grpcio_asyncio",
        ),
        defaults={"coroutines": 1, "grpcio_threads": 1, "grpcio_asyncio": 1},
    )
    loops: int = _option(
        1, Whole(1, 1024), "event loops of each process, one in each thread", models=("reactor", "coroutines")
    )
    threads: int = _option(1, Whole(1, 1024), "threads of each process", models=("process_pool",))
    threads_bound: int = _option(
        1000,
        Whole(1, 1_000_000),
        "calls that may run at once, each in its own thread; further calls are rejected",
        models=("thread_per_request",),
    )
    processes_bound: int = _option(
        256,
        Whole(1, MAX_PROCESSES),
        "connections that may be open at once, each in its own process; further connections wait",
        models=("process_per_connection",),
    )
    reuse_port: bool = _switch("each process has its own listening socket (SO_REUSEPORT)", models=("process_pool",))
    queue_bound: int = _option(
        1000, Whole(1, 1_000_000), "calls that may wait for a worker; further calls are rejected"
    )
    backlog: int = _option(1024, Whole(1, 65_535), "connections that may wait in the kernel to be accepted")
    max_concurrent_streams: int = _option(100, Whole(1, 1_000_000), "calls that may be open at once on one connection")
    max_connection_age_s: float = _option(
        0.0,
        _seconds,
        "seconds, plus or minus a tenth, after which the service asks a client to connect again; a client learns of "
        "new pods when it connects; 0: never",
    )
    max_message_bytes: int = _option(
        4 * 1024 * 1024, Whole(1, 2**31 - 1), "maximum size of one message in bytes, decompressed"
    )
    memory_budget: int | None = _option(
        None,
        Whole(1, 2**40),
        "bytes for the requests and the unread replies of all calls; at least three messages; by default an eighth of "
        "the control group's memory, but at most 24 MiB",
    )
    drain_timeout_s: float = _option(
        15.0, _seconds, "seconds that calls in flight may take to end when the service stops"
    )
    demultiplexer: str = _choice("system call that waits for ready sockets", reactor=DEMULTIPLEXERS)
    hand_off: str = _choice(
        "where handlers run, or which of them run on threads",
        half_sync_half_async=("all", "blocking"),
        proactor=("inline", "threads", "processes"),
    )
    colour: str = _choice(
        "what callbacks must share so that they never run at the same time",
        callback_pool=("none", "connection", "key"),
    )
    policy: str = _choice(
        "which waiting call a thread of the pool takes next", thread_pool=POLICIES, half_sync_half_async=POLICIES
    )
    balance: str = _choice("how connections are distributed over the processes", multi_reactor=BALANCES)
    style: str = _choice("how the handler stores its state while it waits", reactor=CALLBACK_STYLES)
    target_p90_ms: int = _option(
        0,
        Whole(0, 60_000),
        "milliseconds within which nine of ten calls must be answered; calls above the rate that allows this are "
        "rejected; 0: no limit",
        models=("seda",),
    )
    stages_in: str = _choice("what runs the stages", seda=("processes", "threads"))
    loop: str = _choice("the event loop", coroutines=("asyncio", "uvloop"))
    conflicts: str | None = _option(
        None,
        OneOf(tuple(STRATEGIES)),
        f"how `transfer` steps avoid lost updates: {', '.join(STRATEGIES)}; the default depends on the model",
    )
    accounts: int = _option(1000, Whole(2, 1_000_000), "accounts that `transfer` steps use")
    lock_stripes: int = _option(
        64, Whole(1, 65_536), "locks that the accounts share with --conflicts striped or striped-unordered"
    )
    lock_timeout_s: float = _option(
        1.0,
        _seconds,
        "seconds to wait for a lock; after that, the call ends with ABORTED because of a possible deadlock",
    )
    stack_kib: int | None = _option(
        None, Whole(64, 1_048_576), "KiB of stack for each thread; the default is that of the system, usually 8192"
    )
    switch_interval_us: int = _option(
        5000,
        Whole(1, 1_000_000),
        "microseconds after which a thread must release the interpreter lock for another thread",
    )
    function: str | None = _option(
        None,
        Matching(own.PATTERN, own.FORM),
        "MODULE:FUNCTION that `compute` steps with ENGINE_OWN call, such as shop.prices:quote",
    )
    interop: bool = _switch("also serve grpc.testing.TestService, and a page for plain HTTP; for protocol tests")
    trace_file: Path | None = _option(
        None, Path, "file for spans, as OTLP JSON lines; unused if an OTLP endpoint is set"
    )

    @property
    def pool_threads(self) -> int:
        """Threads of a pool, at least one."""
        return math.ceil(self.threads_per_cpu * usable_cpus())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def default_of(option: "Field[Any]", model: str) -> Any:
    """What the option is if a model is started without it."""
    if choices := option.metadata.get("choices"):
        return choices[model][0]
    return option.metadata["defaults"].get(model, option.default)


def parse_config(prog: str, model: str, arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> Config:
    """The options that `model` has. Flags win over variables (SWEETSPOT_PORT for --port), which win over defaults.

    Whatever is wrong is one line on stderr and exit 2.
    """
    parser = _Parser(prog=prog, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False)
    for option in fields(Config):
        if option.metadata["models"] and model not in option.metadata["models"]:
            continue
        flag = "--" + option.name.replace("_", "-")
        variable = ENV_PREFIX + option.name.upper()
        parse: Any = option.metadata.get("parse")
        default, text = default_of(option, model), option.metadata["help"]
        if choices := option.metadata.get("choices"):
            parse, text = OneOf(choices[model]), f"{text}: {', '.join(choices[model])}"
        if variable in environ:
            try:
                default = parse(environ[variable])
            except ValueError as error:
                parser.error(f"{variable}: {error}")
        if option.default is False:
            parser.add_argument(flag, action="store_true", default=default, help=text)
        else:
            parser.add_argument(flag, type=_described(parse), default=default, help=text)
    config = Config(**vars(parser.parse_args(arguments)))
    if (config.tls_cert is None) != (config.tls_key is None):
        parser.error("--tls-cert and --tls-key need each other: give both")
    if config.tls_client_ca is not None and config.tls_cert is None:
        parser.error("--tls-client-ca needs --tls-cert and --tls-key")
    return config


def _described(parse: Any) -> Any:
    """argparse hides a ValueError's text; ArgumentTypeError's it shows."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
