"""A service with stages, as countings steer it. Must not know what they count."""

from collections.abc import Collection

from sweetspot.v1.control_pb2 import SnapshotReply, Stage, StageSettings

from tools.control import ControlClient

FORMS = ("processes", "threads")
"""What each stage has of its own."""
STAGES = ("read", "admit", "compute", "call", "reply")
"""In the order in which a call goes through them."""


def stage(reply: SnapshotReply, name: str) -> Stage:
    """One of a service's stages."""
    return next(found for found in reply.stages if found.name == name)


def bypass(control: ControlClient, names: Collection[str]) -> None:
    """From now on calls pass these stages by, and no others."""
    for name in STAGES:
        control.configure(name, StageSettings(bypass=int(name in names)))
