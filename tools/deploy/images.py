"""The project's images, their tag, and the program that builds them: docker, podman or buildah.

An image's tag is the hash of everything here that images are made of, so a pod whose image has not changed is not
restarted. The base image is the one that its own tag names at the time of the build. Must not know of clusters.
"""

import hashlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.deploy.programs import DeployError, ProgramError, ask, have
from tools.units import rest

ROOT = Path(__file__).parents[2]
REPOSITORY = "sweetspot"
BUILD_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class Image:
    """One image and how the Dockerfile makes it."""

    name: str
    """In DNS's spelling, as thread-pool."""
    target: str
    """Of the Dockerfile."""
    extras: tuple[str, ...] = ()
    """Of pyproject.toml: what the image installs beside what every image installs."""
    model: str = ""
    """The model that it serves; empty for an image without a model."""

    @property
    def options(self) -> tuple[str, ...]:
        """Of the build: target and arguments."""
        arguments = {"MODEL": self.model, "EXTRAS": " ".join(self.extras)}
        given = (word for name, value in arguments.items() if value for word in ("--build-arg", f"{name}={value}"))
        return "--target", self.target, *given

    def reference(self, registry: str, tag: str) -> str:
        """As the chart names it."""
        return f"{registry + '/' if registry else ''}{REPOSITORY}/{self.name}:{tag}"


@dataclass(frozen=True, slots=True)
class Builder:
    """A program that builds, pushes and saves images."""

    name: str

    def build(self, reference: str, image: Image) -> None:
        """Raises ProgramError."""
        command = [self.name, "build", "--tag", reference, *image.options, str(ROOT)]
        if self.name == "buildah":
            command[2:2] = ["--layers"]
        _watch(command)

    def has(self, reference: str) -> bool:
        """Whether it is among the images here."""
        kind = ("inspect", "--type", "image") if self.name == "buildah" else ("image", "inspect")
        try:
            ask(self.name, *kind, reference)
        except ProgramError:
            return False
        return True

    def push(self, reference: str) -> None:
        """Raises ProgramError."""
        ask(self.name, "push", reference, timeout_s=BUILD_TIMEOUT_S)

    def save(self, reference: str, archive: Path) -> None:
        """Writes a docker-archive, of an image without a registry in its name. Raises ProgramError."""
        # podman and buildah would name it localhost/..., and a node does not look for that name.
        named = ("push", reference, f"docker-archive:{archive}:docker.io/{reference}")
        command = ("save", "--output", str(archive), reference) if self.name == "docker" else named
        ask(self.name, *command, timeout_s=BUILD_TIMEOUT_S)


BUILDERS = {
    "docker": ("docker", "info"),  # its command line is often there without its daemon
    "podman": ("podman", "info"),
    "buildah": ("buildah", "version"),
}


def first_builder() -> Builder:
    """The first builder that is installed and answers. Raises DeployError."""
    for name, question in BUILDERS.items():
        if not have(name):
            continue
        try:
            ask(*question)
        except ProgramError:
            continue
        return Builder(name)
    raise DeployError(
        "cannot build images: docker, podman and buildah are missing or do not answer; install one, "
        'or set a command, as make images IMAGE_BUILD="command" (its arguments: DIR NAME:TAG OPTION ...)'
    )


def models() -> dict[str, str]:
    """Model -> the extras that it needs, as `python -m services --list` prints them."""
    lines = ask(sys.executable, "-m", "services", "--list").splitlines()
    return {name: needs for name, _caption, needs, *_ in (line.split("\t") for line in lines)}


def images(wanted: Collection[str]) -> Iterator[Image]:
    """Images of the backend, the driver, the tests of a release, and the wanted models."""
    yield Image("backend", "backend")
    yield Image("driver", "driver", ("driver", "cluster"))
    yield Image("conformance", "conformance", ("conformance",))
    for model, needs in models().items():
        if model in wanted:
            yield Image(model.replace("_", "-"), "service", tuple(needs.split()), model)


def content_tag() -> str:
    """12 digits of the hash of everything that goes into images."""
    digest = hashlib.sha256()
    for file in sources():
        digest.update(f"{file.relative_to(ROOT)}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def sources() -> list[Path]:
    """Every file that an image may be made of: those that .dockerignore lets through, itself, and the Dockerfile."""
    ignored = ROOT / ".dockerignore"
    let_through = [line[1:] for line in ignored.read_text(encoding="utf-8").splitlines() if line.startswith("!")]
    found = {ROOT / "Dockerfile", ignored}
    for path in (path for pattern in let_through for path in ROOT.glob(pattern)):
        found |= {file for file in [path, *path.rglob("*")] if file.is_file() and "__pycache__" not in file.parts}
    return sorted(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """Images to be built."""

    models: Collection[str]
    registry: str
    tag: str
    by_content: bool
    """The tag is that of the content: an image that has it need not be built again."""
    delivered: Collection[str] = ()
    """Images that are already where the cluster takes them from."""


def build(wanted: BuildRequest, notify: Callable[[str], None]) -> tuple[Builder | None, list[str]]:
    """Builds the wanted images that do not exist yet. Raises DeployError.

    Returns the builder (None: IMAGE_BUILD's command), and the names of the images that are to be delivered.
    """
    command = shlex.split(os.environ.get("IMAGE_BUILD", ""))
    builder = None if command else first_builder()
    every = [(image, image.reference(wanted.registry, wanted.tag)) for image in images(wanted.models)]
    to_deliver = [(image, reference) for image, reference in every if reference not in wanted.delivered]
    if there := len(every) - len(to_deliver):
        notify(f"{there} of {len(every)} images are unchanged and on every node")
    begun_s, built = time.monotonic(), 0
    for number, (image, reference) in enumerate(to_deliver, 1):
        which = f"image {number} of {len(to_deliver)}: {reference}"
        if wanted.by_content and builder is not None and builder.has(reference):
            notify(f"{which} is unchanged and built")
            continue
        notify(f"building {which}{_time_left(begun_s, built, len(to_deliver) - number + 1)}")
        if builder is None:
            _watch([*command, str(ROOT), reference, *image.options])
        else:
            builder.build(reference, image)
        built += 1
    return builder, [reference for _, reference in to_deliver]


def _time_left(begun_s: float, done: int, left: int) -> str:
    """An estimate: an image that is left takes as long as those that are done took on average."""
    return f", about {rest((time.monotonic() - begun_s) / done * left)} left" if done else ""


def _watch(command: list[str]) -> None:
    """Runs a command that may take minutes; its output is shown only if it fails."""
    try:
        ask(*command, timeout_s=BUILD_TIMEOUT_S)
    except ProgramError as error:
        print(error.output, file=sys.stderr)
        raise
    except FileNotFoundError:
        raise DeployError(f"IMAGE_BUILD: there is no program {command[0]!r}") from None
