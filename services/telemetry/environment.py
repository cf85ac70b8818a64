"""OpenTelemetry's environment variables: which are honoured, which are rejected. Must not load OpenTelemetry.

A variable that asks for something unsupported is rejected. Ignoring it would silently do something else. `VARIABLES` is
the whole table: those of the specification and of the SDK. Unset and empty are the same. With OTEL_SDK_DISABLED=true
nothing is recorded and nothing else is checked.

Sources: opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables and .../specs/otel/protocol/exporter.
"""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

Check = Callable[[str], str | None]
"""What is wrong with a value; None where it is honoured. No value that may be a secret is repeated."""


class RefusedVariableError(ValueError):
    """A variable that asks for what is not done here, in one line."""


def check(environ: Mapping[str, str] = os.environ) -> None:
    """Raises RefusedVariableError."""
    if _disabled(environ):
        return
    for name, wrong in VARIABLES.items():
        if (value := environ.get(name)) and (why := wrong(value)):
            raise RefusedVariableError(f"{name}: {why}")


def tracing_is_off(environ: Mapping[str, str] = os.environ) -> bool:
    """No span is recorded at all: OTEL_SDK_DISABLED, or the sampler that takes none."""
    return _disabled(environ) or environ.get("OTEL_TRACES_SAMPLER", "").lower() == "always_off"


def spans_go_out(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether spans go to a collector. OTEL_TRACES_EXPORTER decides; if it is not set, an endpoint does."""
    return not tracing_is_off(environ) and _goes_out("TRACES", environ)


def metrics_go_out(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether metrics go to a collector. OTEL_METRICS_EXPORTER decides; if it is not set, an endpoint does."""
    return not _disabled(environ) and _goes_out("METRICS", environ)


def endpoint(environ: Mapping[str, str] = os.environ) -> str:
    """Where spans go, without what may be a secret in it."""
    named = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    url = urlsplit(named or "http://localhost:4318")
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"


def timeout_s(signal: str, *, at_most: str) -> float:
    """For one export: of OTEL_EXPORTER_OTLP_TIMEOUT and the variable `at_most` the less.

    Both are milliseconds by the specification. The SDK takes the first for seconds, and ignores the second.
    """
    of_exporter = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_TIMEOUT") or os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT")
    return min(float(of_exporter or 10_000), number(at_most, 30_000)) / 1000


def number(name: str, default: float) -> float:
    """The value of a variable that was checked."""
    return float(os.environ.get(name) or default)


def silence_sdk() -> None:
    """The SDK logs every batch that fails, and each try. The pipeline logs once what was lost, and why."""
    log = logging.getLogger("opentelemetry")
    log.addHandler(logging.NullHandler())
    # A handler of calls that fails sets up logging for all (logging.error): then these lines would come too.
    log.propagate = False


def _disabled(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").lower() == "true"


def _goes_out(signal: str, environ: Mapping[str, str]) -> bool:
    if exporter := environ.get(f"OTEL_{signal}_EXPORTER"):
        return exporter.lower() == "otlp"
    return bool(environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def _any(_value: str) -> None:
    return None


def _one_of(*values: str, hint: str = "") -> Check:
    known = " or ".join(values)

    def wrong(value: str) -> str | None:
        return None if value.lower() in values else f"{value!r} is not supported; use {known}{hint}"

    return wrong


def _refused(why: str) -> Check:
    return lambda _: f"not supported: {why}; unset it"


def _at_least(least: int) -> Check:
    def wrong(value: str) -> str | None:
        return (
            None
            if value.isascii() and value.isdecimal() and int(value) >= least
            else f"{value!r} is not a whole number of {least} or more"
        )

    return wrong


def _propagators(value: str) -> str | None:
    asked = {each.strip() for each in value.split(",")}
    return None if asked == {"tracecontext", "baggage"} else f"{value!r} is not supported; use tracecontext,baggage"


def _pairs(value: str) -> str | None:
    """As OTEL_RESOURCE_ATTRIBUTES: what has no `=` would be left out."""
    pairs = [each.partition("=") for each in value.split(",") if each.strip()]
    return None if all(key.strip() and equals for key, equals, _ in pairs) else "it is not KEY=VALUE[,KEY=VALUE]"


def _url(value: str) -> str | None:
    try:
        url = urlsplit(value)
        complete = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:  # brackets that do not match; a port that is no number up to 65535
        complete = False
    return None if complete else "it is not a URL such as http://HOST:4318"


def _file(value: str) -> str | None:
    return None if os.access(value, os.R_OK) and Path(value).is_file() else f"{value!r} is not a file that can be read"


_BOOLEAN = _one_of("true", "false")
_OTLP: Mapping[str, Check] = {
    "ENDPOINT": _url,
    "PROTOCOL": _one_of("http/protobuf", hint=", and the collector's port for it, usually 4318"),
    "HEADERS": _pairs,
    "TIMEOUT": _at_least(1),
    "COMPRESSION": _one_of("none", "gzip", "deflate"),
    "CERTIFICATE": _file,
    "CLIENT_KEY": _file,
    "CLIENT_CERTIFICATE": _file,
    # By the specification of OTLP/gRPC alone: here the scheme of the endpoint decides it.
    "INSECURE": _BOOLEAN,
}
_NO_LOGS = _refused("no logs are exported")
_NO_SUCH_EXPORTER = _refused("spans and metrics are exported by OTLP")
_NO_CONFIG_FILE = _refused("no configuration file is read")
_NO_TRACER = _refused("the SDK's tracers and meters are not used")

VARIABLES: Mapping[str, Check] = {
    "OTEL_SDK_DISABLED": _BOOLEAN,
    "OTEL_SERVICE_NAME": _any,
    "OTEL_RESOURCE_ATTRIBUTES": _pairs,
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": _any,
    "OTEL_ENTITIES": _refused("it is experimental in the specification"),
    "OTEL_CONFIG_FILE": _NO_CONFIG_FILE,
    "OTEL_EXPERIMENTAL_CONFIG_FILE": _NO_CONFIG_FILE,
    "OTEL_LOG_LEVEL": _refused("the SDK's own log is not shown"),
    "OTEL_PROPAGATORS": _propagators,
    # A service traces what its caller has sampled, and the driver the share of --trace-ratio.
    "OTEL_TRACES_SAMPLER": _one_of(
        "parentbased_always_off",
        "always_off",
        hint=": the driver samples, see --trace-ratio and an experiment's trace_ratio",
    ),
    "OTEL_TRACES_SAMPLER_ARG": _refused("the driver samples, see --trace-ratio and an experiment's trace_ratio"),
    "OTEL_TRACES_EXPORTER": _one_of("otlp", "none"),
    "OTEL_METRICS_EXPORTER": _one_of("otlp", "none", hint="; for Prometheus --metrics-port"),
    "OTEL_LOGS_EXPORTER": _one_of("none"),
    "OTEL_METRICS_EXEMPLAR_FILTER": _one_of("trace_based"),
    "OTEL_METRIC_EXPORT_INTERVAL": _at_least(1),
    "OTEL_METRIC_EXPORT_TIMEOUT": _at_least(1),
    "OTEL_BSP_SCHEDULE_DELAY": _at_least(1),
    "OTEL_BSP_EXPORT_TIMEOUT": _at_least(1),
    "OTEL_BSP_MAX_QUEUE_SIZE": _at_least(1),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": _at_least(1),
    **dict.fromkeys(
        [
            f"OTEL_BLRP_{name}"
            for name in ("SCHEDULE_DELAY", "EXPORT_TIMEOUT", "MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE")
        ],
        _NO_LOGS,
    ),
    # A limit is accepted if no span comes near it.
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": _at_least(256),
    "OTEL_ATTRIBUTE_COUNT_LIMIT": _at_least(32),
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": _at_least(256),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": _at_least(32),
    "OTEL_SPAN_EVENT_COUNT_LIMIT": _at_least(1),
    "OTEL_SPAN_LINK_COUNT_LIMIT": _at_least(0),
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": _at_least(0),
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": _at_least(0),
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": _NO_LOGS,
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": _NO_LOGS,
    **{f"OTEL_EXPORTER_OTLP_{name}": wrong for name, wrong in _OTLP.items()},
    **{f"OTEL_EXPORTER_OTLP_TRACES_{name}": wrong for name, wrong in _OTLP.items()},
    **{f"OTEL_EXPORTER_OTLP_METRICS_{name}": wrong for name, wrong in _OTLP.items()},
    **{f"OTEL_EXPORTER_OTLP_LOGS_{name}": _NO_LOGS for name in _OTLP},
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": _one_of("cumulative"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": _one_of("explicit_bucket_histogram"),
    "OTEL_EXPORTER_ZIPKIN_ENDPOINT": _NO_SUCH_EXPORTER,
    "OTEL_EXPORTER_ZIPKIN_TIMEOUT": _NO_SUCH_EXPORTER,
    "OTEL_EXPORTER_PROMETHEUS_HOST": _refused("see --metrics-port"),
    "OTEL_EXPORTER_PROMETHEUS_PORT": _refused("see --metrics-port"),
    "OTEL_PYTHON_CONTEXT": _NO_TRACER,
    "OTEL_PYTHON_ID_GENERATOR": _NO_TRACER,
    "OTEL_PYTHON_TRACER_PROVIDER": _NO_TRACER,
    "OTEL_PYTHON_METER_PROVIDER": _NO_TRACER,
    "OTEL_PYTHON_TRACER_CONFIGURATOR": _NO_TRACER,
    "OTEL_PYTHON_METER_CONFIGURATOR": _NO_TRACER,
    "OTEL_PYTHON_LOGGER_CONFIGURATOR": _NO_TRACER,
    "OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES": _refused("nothing is exported by OTLP/gRPC"),
    "OTEL_PYTHON_LOGGER_PROVIDER": _NO_LOGS,
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": _one_of("false"),
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": _one_of("false"),
    **dict.fromkeys(
        [
            f"OTEL_PYTHON_EXPORTER_OTLP_{protocol}_{signal}CREDENTIAL_PROVIDER"
            for protocol in ("HTTP", "GRPC")
            for signal in ("", "TRACES_", "METRICS_", "LOGS_")
        ],
        _refused("give credentials in OTEL_EXPORTER_OTLP_HEADERS or as a client's certificate"),
    ),
}
