"""The options that every service has, the values of all its options, and how they are read.

Must not know which options a model has beside these.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from services.network.address import Address
from services.runtime.options import Matching, OneOf, Option, OptionNeed, Seconds, Value, Whole, true_or_false
from services.workload import own
from services.workload.ledger import STRATEGIES


def _shared(default: Any, parse: Any, text: str) -> Any:
    return field(default=default, metadata={"parse": parse, "help": text})


_port = Whole(0, 65_535)
_seconds = Seconds(0, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Values of options. `config.port` is one of every service, `config[LOOPS]` one that only some models have."""

    of_model: Mapping[str, Any] = field(default_factory=dict)
    """Name -> value, for options that are no fields of this class."""

    host: str = _shared("127.0.0.1", str, "address to listen on; :: means every address, IPv4 and IPv6")
    port: int = _shared(0, _port, "port for calls; 0 picks a free port")
    control_port: int = _shared(0, _port, "port for health checks, reflection and Control; 0 picks a free port")
    metrics_port: int | None = _shared(None, _port, "port for Prometheus metrics, by default none; 0 picks a free port")
    backend: Address | None = _shared(None, Address.parse, "HOST:PORT of the backend that `call` steps use")
    tls_cert: Path | None = _shared(None, Path, "PEM file of the certificate chain; the service then accepts only TLS")
    tls_key: Path | None = _shared(None, Path, "PEM file of the certificate's private key")
    tls_client_ca: Path | None = _shared(
        None, Path, "PEM file of the authorities that must have signed the clients' certificates"
    )
    backlog: int = _shared(1024, Whole(1, 65_535), "connections that may wait in the kernel to be accepted")
    max_concurrent_streams: int = _shared(100, Whole(1, 1_000_000), "calls that may be open at once on one connection")
    max_connection_age_s: float = _shared(
        0.0,
        _seconds,
        "seconds, plus or minus a tenth, after which the service asks a client to connect again; a client learns of "
        "new pods when it connects; 0: never",
    )
    max_message_bytes: int = _shared(
        4 * 1024 * 1024, Whole(1, 2**31 - 1), "maximum size of one message in bytes, decompressed"
    )
    memory_budget: int | None = _shared(
        None,
        Whole(1, 2**40),
        "bytes for the requests and the unread replies of all calls; at least three messages; by default an eighth of "
        "the control group's memory, but at most 24 MiB",
    )
    drain_timeout_s: float = _shared(
        15.0, _seconds, "seconds that calls in flight may take to end when the service stops"
    )
    conflicts: str | None = _shared(
        None,
        OneOf(tuple(STRATEGIES)),
        "how `transfer` steps avoid lost updates; the default depends on the model",
    )
    accounts: int = _shared(1000, Whole(2, 1_000_000), "accounts that `transfer` steps use")
    lock_stripes: int = _shared(
        64, Whole(1, 65_536), "locks that the accounts share with --conflicts striped or striped-unordered"
    )
    lock_timeout_s: float = _shared(
        1.0,
        _seconds,
        "seconds to wait for a lock; after that, the call ends with ABORTED because of a possible deadlock",
    )
    stack_kib: int | None = _shared(
        None, Whole(64, 1_048_576), "KiB of stack for each thread; the default is that of the system, usually 8192"
    )
    switch_interval_us: int = _shared(
        5000,
        Whole(1, 1_000_000),
        "microseconds after which a thread must release the interpreter lock for another thread",
    )
    function: str | None = _shared(
        None,
        Matching(own.PATTERN, own.FORM),
        "MODULE:FUNCTION that `compute` steps with ENGINE_OWN call, such as shop.prices:quote",
    )
    interop: bool = _shared(
        False, true_or_false, "also serve grpc.testing.TestService, and a page for plain HTTP; for protocol tests"
    )
    trace_file: Path | None = _shared(
        None, Path, "file for spans, as OTLP JSON lines; unused if an OTLP endpoint is set"
    )

    def __getitem__(self, option: Option[Value]) -> Value:
        """The value of an option that only some models have; its default if it was not read."""
        value: Value = self.of_model.get(option.name, option.default)
        return value


SHARED: tuple[Option[Any], ...] = tuple(
    Option(each.name, each.default, each.metadata["parse"], each.metadata["help"])
    for each in fields(Config)
    if each.metadata
)
"""The options that are fields of Config."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Rejects every value of an option that the service does not have."""

    service: str
    models: Sequence[str]
    """Those that have it."""

    def __call__(self, text: str) -> NoReturn:
        """Raises ValueError."""
        raise ValueError(f"not an option of {self.service}, only of {', '.join(self.models)}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parse_config(
    prog: str, options: Sequence[Option[Any]], arguments: Sequence[str], environ: Mapping[str, str]
) -> Config:
    """The values of `options`. Flags win over variables (SWEETSPOT_PORT for --port), which win over defaults.

    Whatever is wrong is one line on stderr and exit 2.
    """
    parser = _Parser(prog=prog, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False)
    for option in options:
        default = option.default
        if option.variable in environ:
            try:
                default = option.parse(environ[option.variable])
            except ValueError as error:
                parser.error(f"{option.variable}: {error}")
        _add_flag(parser, option, default)
    values = vars(parser.parse_args(arguments))
    of_every_service = {option.name: values.pop(option.name) for option in SHARED if option.name in values}
    config = Config(**of_every_service, of_model=values)
    if (config.tls_cert is None) != (config.tls_key is None):
        parser.error("--tls-cert and --tls-key need each other: give both")
    if config.tls_client_ca is not None and config.tls_cert is None:
        parser.error("--tls-client-ca needs --tls-cert and --tls-key")
    for option in options:
        if option.need is not None and not _has_effect(option, option.need, config):
            by_flag = any(argument.partition("=")[0] == option.flag for argument in arguments)
            name = f"argument {option.flag}" if by_flag else option.variable
            parser.error(f"{name}: has an effect only with {option.need}: add that, or leave it out")
    return config


def _has_effect(option: Option[Any], need: OptionNeed, config: Config) -> bool:
    return config[option] == option.default or config[need.option] in need.values


def _add_flag(parser: argparse.ArgumentParser, option: Option[Any], default: Any) -> None:
    parse = _described(option.parse)
    if isinstance(option.parse, Absent):  # with a value or without: the reply is the same
        nothing = argparse.SUPPRESS
        parser.add_argument(option.flag, nargs="?", const="", type=parse, default=nothing, help=nothing)
    elif option.parse is true_or_false:
        parser.add_argument(option.flag, action="store_true", default=default, help=option.help)
    else:
        metavar = f"{{{','.join(option.words)}}}" if option.words else None
        parser.add_argument(option.flag, type=parse, default=default, help=option.help, metavar=metavar)


def _described(parse: Any) -> Any:
    """argparse hides the text of a ValueError, and shows that of an ArgumentTypeError."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
