"""The target of a command, according to its flags. Must not know what is measured there."""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tools.command_names import RELEASE
from tools.local import Pinning, Programs
from tools.scale.local import pinning_over
from tools.status import PlainError
from tools.target import Target, ThisMachine

if TYPE_CHECKING:
    from tools.cluster.run import Cluster

_OF_LOAD = ("shards", "balance", "driver_cpu", "driver_memory", "keep_pods")
_OF_CLUSTER = ("namespace", "release", *_OF_LOAD)
"""Flags that have an effect only with --cluster. A flag that is not given is None: Cluster's fields have defaults."""


def check_flags(args: argparse.Namespace) -> None:
    """Raises PlainError for a flag that has no effect."""
    idle: tuple[str, ...]
    if args.resume is not None:
        idle, why = ("results", "cluster", *_OF_CLUSTER), "with --resume: a run continues with its own settings"
    elif not args.cluster:
        idle, why = _OF_CLUSTER, "without --cluster"
    else:
        return
    for name in idle:
        if getattr(args, name, None) is not None:
            raise PlainError(f"--{name.replace('_', '-')} has no effect {why}")


def this_machine(programs: Programs, *, despite_noise: bool, for_grid: bool = False) -> ThisMachine:
    """This machine, with one processor for the service, or with most of them for the replicas of a grid."""
    pinning = (pinning_over if for_grid else Pinning.over)(os.sched_getaffinity(0))
    return ThisMachine(programs, pinning, despite_noise=despite_noise)


def cluster(args: argparse.Namespace, run: str, programs: Programs, **defaults: Any) -> "Cluster":
    """The cluster of kubectl's context, for a run of that name. `defaults`: values of flags that are not given.

    Raises ClusterError."""
    from tools.cluster.api import Api  # noqa: PLC0415  (kubernetes)
    from tools.cluster.release import Release  # noqa: PLC0415
    from tools.cluster.run import Cluster  # noqa: PLC0415

    given = {name: getattr(args, name, None) for name in _OF_LOAD}
    settings = {**defaults, **{name: value for name, value in given.items() if value is not None}}
    release = Release(Api.connect(args.namespace), args.release or RELEASE)
    return Cluster(release, run=run, programs=programs, despite_noise=args.despite_noise, **settings)


def chosen(named: Sequence[str] | None, usual: Sequence[str], target: Target) -> list[str]:
    """The models that were named, else the usual ones that are there. Raises PlainError."""
    there = target.models()
    models = list(dict.fromkeys(named or [model for model in usual if model in there]))
    if unknown := [model for model in models if model not in there]:
        raise PlainError(f"unknown model {unknown[0]!r}; the models are {', '.join(there)}")
    if not models:
        raise PlainError(f"none of {', '.join(usual)} is there: choose with --models from {', '.join(there)}")
    return models
