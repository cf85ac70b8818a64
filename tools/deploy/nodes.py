"""How images come to the nodes of a cluster: pushed to a registry, or loaded where the cluster is of this machine."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tools.deploy.images import Builder
from tools.deploy.programs import DeployError, ask, need

LOAD_TIMEOUT_S = 300.0

_SHARED_WITH_DOCKER = ("docker-desktop", "orbstack")
"""Contexts whose cluster uses the images of docker itself."""


def loader(context: str) -> Callable[[Path], tuple[str, ...]] | None:
    """The command that loads an archive into the nodes of the context's cluster; None where none is known."""
    if context.startswith("kind-"):
        return lambda archive: ("kind", "load", "image-archive", str(archive), "--name", context.removeprefix("kind-"))
    if context.startswith("k3d-"):
        return lambda archive: ("k3d", "image", "import", str(archive), "--cluster", context.removeprefix("k3d-"))
    if context.startswith("minikube"):
        return lambda archive: ("minikube", "--profile", context, "image", "load", str(archive))
    if context.startswith("k3s"):
        return lambda archive: ("k3s", "ctr", "images", "import", str(archive))
    return None


def have(nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    """The images that are on every one of the nodes, by the names that the chart gives them.

    A node lists only the 50 largest of its images (nodeStatusMaxImages in the kubelet's configuration).
    """
    on_each = [
        {
            name.removeprefix("docker.io/")
            for image in node["status"].get("images", ())
            for name in image.get("names", ())
        }
        for node in nodes
    ]
    return set.intersection(*on_each) if on_each else set()


def check(context: str, registry: str, builder_is_given: bool, command: str) -> None:
    """Before minutes go into building. Raises DeployError where images would never come to the nodes.

    command: the one to give again, with a registry.
    """
    if registry or builder_is_given or context in _SHARED_WITH_DOCKER:
        return
    load = loader(context)
    if load is None:
        raise DeployError(
            f"context {context}: the image source of its cluster is unknown; "
            f"next: {command} REGISTRY=registry/folder, to push the images to a registry"
        )
    need(load(Path())[0], f"it loads images into {context}; next: {command} REGISTRY=registry/folder")


def deliver(
    builder: Builder, references: Iterable[str], context: str, registry: str, notify: Callable[[str], None]
) -> None:
    """Pushes, or loads; neither where there is no registry and no context to load into. Raises DeployError."""
    command = loader(context)
    for reference in references:
        if registry:
            notify(f"pushing {reference}")
            builder.push(reference)
            continue
        if command is None:
            return
        notify(f"loading {reference} into {context}")
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "image.tar"
            builder.save(reference, archive)
            ask(*command(archive), timeout_s=LOAD_TIMEOUT_S)
