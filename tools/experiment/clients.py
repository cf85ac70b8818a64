"""What a load program cannot do, found in what is asked before anything is started. Must not know how one is run."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.experiment.experiment import Arm, Experiment

UNABLE = {
    "fortio": "fortio calls only the health check of gRPC and its own Ping, so it makes no plan's calls",
}
"""A program that is known, but is no client -> why."""
OPEN_LOOPS = ("rate_rps", "rate_of_capacity", "schedule")


def unable(written: Mapping[str, Any]) -> Iterator[str]:
    """The same for a client that cannot be one. `written` is not checked yet."""
    arms = written.get("arms")
    named = {"$": written, **({f"$.arms.{name}": arm for name, arm in arms.items()} if isinstance(arms, dict) else {})}
    for where, each in named.items():
        client = each.get("client") if isinstance(each, dict) else None
        if isinstance(client, str) and client in UNABLE:
            yield f"{UNABLE[client]}: set client to h2load, ghz or k6 - at `{where}.client`"


def impossible(asked: Experiment) -> Iterator[str]:
    """A line for each thing that a client of the experiment cannot do, as `what: fix - at `$.key``."""
    arms = asked.arms or {"": Arm()}
    for name, arm in arms.items():
        client, where = asked.client_of(arm), f"$.arms.{name}" if arm.client else "$"
        if arm.server is not None:
            yield from _of_server(asked, arm, f"$.arms.{name}")
        if client != "driver":
            yield from _of_load(asked, client)
            yield from _of_calls(asked, arm, client, f"$.arms.{name}" if arm.plan or arm.mix else "$")
            if asked.scale is not None:
                yield f"{client} cannot search a rate: remove client, or remove scale - at `{where}.client`"


def _of_server(asked: Experiment, arm: Arm, where: str) -> Iterator[str]:
    client = asked.client_of(arm)
    if client != "h2load":
        yield f"{arm.server} does not speak gRPC, and {client} does: set client to h2load - at `{where}.server`"
    if asked.scale is not None:
        yield f"a search of a rate needs a model: remove {arm.server} - at `{where}.server`"
    for key in ("options", "python", "environment"):
        if getattr(arm, key):
            yield f"{key} are those of a model, and {arm.server} has none: remove {key} - at `{where}.{key}`"


def _of_load(asked: Experiment, client: str) -> Iterator[str]:
    load = asked.load
    for key in OPEN_LOOPS:
        if getattr(load, key):
            yield f"{client} makes closed loops only: set streams, or remove client - at `$.load.{key}`"
    unable = {
        "idle": any(load.idle),
        "calls_per_connection": load.calls_per_connection is not None,
        "method": load.method != "Run",
        "deadline_s": load.deadline_s is not None,
        "actions": bool(load.actions),
    }
    for key, is_asked in unable.items():
        if is_asked:
            yield f"only the driver can do this, and {client} cannot: remove {key} or client - at `$.load.{key}`"


def _of_calls(asked: Experiment, arm: Arm, client: str, where: str) -> Iterator[str]:
    calls = asked.calls_of(arm)
    if "mix" in calls:
        yield f"{client} makes one kind of call: set plan, or remove client - at `{where}.mix`"
    elif "keys" in calls:
        yield f"{client} sends the same bytes in each call: set key, or remove client - at `{where}.plan.keys`"
