"""OpenTelemetry's variables: each one is used, or rejected in one line. None is ignored without a message."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import opentelemetry.environment_variables
import opentelemetry.sdk.environment_variables
import pytest

from services.telemetry.environment import (
    VARIABLES,
    RefusedVariableError,
    check,
    metrics_go_out,
    spans_go_out,
    timeout_s,
    tracing_is_off,
)

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}


@pytest.mark.parametrize(
    "module", [opentelemetry.environment_variables, opentelemetry.sdk.environment_variables], ids=["api", "sdk"]
)
def test_every_variable_that_the_sdk_knows_is_in_the_table(module: object) -> None:
    known = {value for name, value in vars(module).items() if name.lstrip("_").startswith("OTEL_")}
    assert known - VARIABLES.keys() == set()


HONOURED = [
    {},
    {"OTEL_EXPORTER_OTLP_PROTOCOL": ""},
    {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
    {"OTEL_TRACES_EXPORTER": "OTLP", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
    {"OTEL_PROPAGATORS": "baggage, tracecontext"},
    {"OTEL_TRACES_SAMPLER": "parentbased_always_off"},
    {"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    {"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "a=1,b="},
    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://[::1]:4318/v1/traces"},
    {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
    {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "4095"},
    {"OTEL_OF_ANOTHER_PROGRAM": "grpc"},
]


@pytest.mark.parametrize("environ", HONOURED)
def test_what_can_be_done_is_not_refused(environ: Mapping[str, str]) -> None:
    check(environ)


REFUSED = {
    "OTEL_EXPORTER_OTLP_PROTOCOL=grpc": "'grpc' is not supported; use http/protobuf, and the collector's port for it",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json": "'http/json' is not supported; use http/protobuf",
    "OTEL_TRACES_EXPORTER=zipkin": "'zipkin' is not supported; use otlp or none",
    "OTEL_METRICS_EXPORTER=prometheus": "use otlp or none; for Prometheus --metrics-port",
    "OTEL_LOGS_EXPORTER=otlp": "use none",
    "OTEL_SDK_DISABLED=yes": "use true or false",
    "OTEL_PROPAGATORS=b3": "use tracecontext,baggage",
    "OTEL_TRACES_SAMPLER=traceidratio": "the driver samples, see --trace-ratio",
    "OTEL_TRACES_SAMPLER_ARG=0.1": "the driver samples, see --trace-ratio",
    "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317": "it is not a URL such as http://HOST:4318",
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://[::1": "it is not a URL such as http://HOST:4318",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:431800": "it is not a URL such as http://HOST:4318",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://c:otlp": "it is not a URL such as http://HOST:4318",
    "OTEL_EXPORTER_OTLP_TIMEOUT=10s": "'10s' is not a whole number of 1 or more",
    "OTEL_EXPORTER_OTLP_CERTIFICATE=/no/such/ca.pem": "'/no/such/ca.pem' is not a file that can be read",
    "OTEL_EXPORTER_OTLP_COMPRESSION=zstd": "use none or gzip or deflate",
    "OTEL_RESOURCE_ATTRIBUTES=a=1,b": "it is not KEY=VALUE[,KEY=VALUE]",
    "OTEL_BSP_MAX_QUEUE_SIZE=0": "'0' is not a whole number of 1 or more",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=3": "'3' is not a whole number of 32 or more",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c:4318": "no logs are exported; unset it",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta": "use cumulative",
    "OTEL_CONFIG_FILE=otel.yaml": "no configuration file is read; unset it",
}


@pytest.mark.parametrize(("setting", "why"), REFUSED.items())
def test_what_cannot_be_done_is_refused_by_name(setting: str, why: str) -> None:
    name, _, value = setting.partition("=")
    with pytest.raises(RefusedVariableError) as refused:
        check({name: value})
    assert str(refused.value).startswith(f"{name}: ")
    assert why in str(refused.value)


def test_a_secret_is_not_repeated() -> None:
    with pytest.raises(RefusedVariableError) as refused:
        check({"OTEL_EXPORTER_OTLP_HEADERS": "secret"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("program", [["services", "reactor"], ["services", "backend"], ["services.driver"]], ids=str)
def test_a_program_ends_with_one_line_and_status_2(program: list[str], tmp_path: Path) -> None:
    flags = ["--address=h:1", "--connections=1", "--streams=1", "--plan=p", f"--out={tmp_path}/r.json"]
    done = subprocess.run(
        [sys.executable, "-m", *program, *(flags if program == ["services.driver"] else [])],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is not supported" in done.stderr


@pytest.mark.parametrize(
    ("environ", "spans", "metrics", "off"),
    [
        ({}, False, False, False),
        (COLLECTOR, True, True, False),
        ({**COLLECTOR, "OTEL_SDK_DISABLED": "true"}, False, False, True),
        ({**COLLECTOR, "OTEL_SDK_DISABLED": "false"}, True, True, False),
        ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, False, True, False),
        ({**COLLECTOR, "OTEL_METRICS_EXPORTER": "none"}, True, False, False),
        ({**COLLECTOR, "OTEL_TRACES_SAMPLER": "always_off"}, False, True, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True, False, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/v1/metrics"}, False, True, False),
        pytest.param({"OTEL_TRACES_EXPORTER": "otlp"}, True, False, False, id="to localhost:4318"),
    ],
)
def test_the_environment_says_what_goes_out(environ: Mapping[str, str], spans: bool, metrics: bool, off: bool) -> None:
    assert (spans_go_out(environ), metrics_go_out(environ), tracing_is_off(environ)) == (spans, metrics, off)


def test_a_timeout_is_in_milliseconds_and_the_shorter_one_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2500")
    assert timeout_s("TRACES", at_most="OTEL_BSP_EXPORT_TIMEOUT") == 2.5
    monkeypatch.setenv("OTEL_BSP_EXPORT_TIMEOUT", "1000")
    assert timeout_s("TRACES", at_most="OTEL_BSP_EXPORT_TIMEOUT") == 1
