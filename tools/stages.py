"""`sweetspot stages`: shows the stages of a running service, and changes their settings. Must not know any model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from sweetspot.v1.control_pb2 import Stage, StageSettings

from tools.control import ControlClient
from tools.local import LocalError
from tools.units import count, duration

KEYS = [field.name for field in StageSettings.DESCRIPTOR.fields]


def settings(pairs: Sequence[str]) -> StageSettings:
    """Each is `key=value`, with a whole number. Raises LocalError. The service rejects values out of range."""
    wanted = StageSettings()
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in KEYS:
            raise LocalError(f"{pair!r} is not key=value, with one of {', '.join(KEYS)}")
        if not value.isdecimal() or int(value) >= 2**32:
            raise LocalError(f"{key} is {value!r}, which is not a whole number")
        setattr(wanted, key, int(value))
    return wanted


def read(address: str) -> Sequence[Stage]:
    """The stages of the service whose control port is at HOST:PORT. Raises LocalError."""
    with _control(address) as control:
        reply = control.snapshot()
    if not reply.stages:
        raise LocalError(f"{reply.model} at {address} has no stages: only seda has stages")
    return list(reply.stages)


def steer(address: str, stage: str, wanted: StageSettings) -> None:
    """Has a stage serve so from now on. Raises LocalError."""
    with _control(address) as control:
        control.configure(stage, wanted)


@contextmanager
def _control(address: str) -> Iterator[ControlClient]:
    with ControlClient(address) as control:
        try:
            yield control
        except LocalError as error:
            raise LocalError(f"{address}: {error}") from error


def show(console: Console, stages: Sequence[Stage]) -> None:
    """A line for each stage: its queue, what it has done, and its settings."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    for heading in ("waiting", "wait each", "served", "shed"):
        table.add_column(heading, justify="right")
    table.add_column("settings that are not 0")
    for stage in stages:
        wait = duration(stage.queue_wait_ns // stage.served) if stage.served else ""
        values = " ".join(f"{field.name}={value}" for field, value in stage.settings.ListFields() if value)
        table.add_row(stage.name, count(stage.queue_depth), wait, count(stage.served), count(stage.shed), values)
    console.print(table)
