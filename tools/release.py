"""`python -m tools.release`, which is `make release`: wheel, sdist, chart, images, and an SBOM of each image.

All of them have the version of pyproject.toml, which FOLLOWERS repeat. Everything that is needed is checked first, and
dist/VERSION appears once all is made. With a registry, images are pushed before the chart that names them. An SBOM
lists the Python packages of an image, from the lock that the image installs. It does not list the Debian packages of
the base image.

Exit status: 0; 2 for what a person can correct, with a message on stderr; 130 when interrupted. Must not know how an
image is built.
"""

import hashlib
import os
import re
import shlex
import shutil
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from tools.deploy import images, nodes
from tools.deploy.images import ROOT, Image
from tools.deploy.programs import DeployError, ProgramError, ask, have
from tools.parser import Parser
from tools.plain_text import print_what_can_be_shown

DIST = ROOT / "dist"
CHART = ROOT / "helm" / "sweetspot"
LOCKS = ROOT / "requirements"
FOLLOWERS = {
    "helm/sweetspot/Chart.yaml": r'^(?:version|appVersion): "?([^"\s]+)"?$',
    "Dockerfile": r"^ARG VERSION=(.+)$",
    "k8s/backend.yaml": r"image: sweetspot/backend:(.+)$",
    "k8s/examples/open-loop.yaml": r"image: sweetspot/driver:(.+)$",
    "k8s/seccomp/kustomization.yaml": r"newTag: ([^}\s]+)",
    "CHANGELOG.md": r"^## Unreleased$[\s\S]*?^## (\S+) - \d{4}-\d\d-\d\d$",
}
"""Files that repeat the version, and where: of CHANGELOG.md the newest release."""
BUILD_TIMEOUT_S = 300.0
PUSH_TIMEOUT_S = 120.0
REGISTRY_TIMEOUT_S = 10.0
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Hosts whose registry uses plain HTTP: docker and helm accept it only from these."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit status."""
    print_what_can_be_shown()
    parser = Parser(prog="python -m tools.release", description="Wheel, sdist, chart and images of one version.")
    parser.add_argument("--registry", default="", metavar="HOST/FOLDER", help="where images and the chart are pushed")
    args = parser.parse_args(arguments)
    try:
        release(args.registry.removeprefix("oci://").rstrip("/"), _notify)
    except DeployError as error:
        print(f"release: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("release: interrupted", file=sys.stderr)
        return 130
    return 0


def release(registry: str, notify: Callable[[str], None]) -> None:
    """Builds everything, pushes it if there is a registry, and only then moves it to dist/. Raises DeployError."""
    version = own_version()
    if found := list(problems(version, registry)):
        raise DeployError(f"nothing is built: {'; '.join(found)}")
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=DIST) as temporary:
        folder = Path(temporary) / version
        (folder / "sbom").mkdir(parents=True)
        notify(f"building wheel and sdist of {version}")
        build_packages(folder)
        notify("packaging the chart")
        ask("helm", "package", str(CHART), "--destination", str(folder / "chart"))
        for image in images.images(images.models()):
            notify(f"writing the SBOM of {image.name}")
            write_sbom(image, version, folder / "sbom" / f"{image.name}.cdx.json")
        wanted = images.BuildRequest(models=images.models(), registry=registry, tag=version, by_content=False)
        builder, built = images.build(wanted, notify)
        (folder / "SHA256SUMS").write_text(checksums(folder), encoding="ascii")
        if registry and builder is not None:
            nodes.deliver(builder, built, "", registry, notify)
            notify(f"pushing the chart to {_charts(registry)}")
            (chart,) = (folder / "chart").iterdir()
            ask("helm", "push", str(chart), _charts(registry), *_plain(registry), timeout_s=PUSH_TIMEOUT_S)
        shutil.rmtree(DIST / version, ignore_errors=True)
        folder.rename(DIST / version)
    notify(f"{len(built)} images have the tag {version}; all else is in {DIST / version}; next:")
    if registry:
        chart_at = f"{_charts(registry)}/{CHART.name}"
        notify(f"  helm install sweetspot {chart_at} --version {version} --set image.registry={registry}")
    notify(f"  git tag --annotate v{version} --message 'Sweetspot {version}' && git push origin v{version}")


def own_version() -> str:
    """The version that all other files repeat."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def astray(version: str) -> Iterator[str]:
    """Each file that has another version, or none, with what it has."""
    for file, pattern in FOLLOWERS.items():
        found = set(re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE))
        if found != {version}:
            yield f"{file} has {' and '.join(sorted(found)) or 'none'}"


def problems(version: str, registry: str) -> Iterator[str]:
    """Why this version cannot be released, and what to do about it."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield f"version {version} has not the form 1.2.3, which wheel, chart and images share: change pyproject.toml"
    if wrong := list(astray(version)):
        yield f"the version is {version}, but {', '.join(wrong)}: correct them, then make manifests"
    yield from _checkout_problems(version)
    if not have("helm"):
        yield "helm is not on the PATH: https://helm.sh/docs/intro/install"
    yield from _builder_problems(registry)
    if registry:
        yield from _registry_problems(version, registry)


def _checkout_problems(version: str) -> Iterator[str]:
    if not have("git"):
        yield "git is not on the PATH: install it"
        return
    try:
        changed = ask("git", "-C", str(ROOT), "status", "--porcelain").splitlines()
        tagged = ask("git", "-C", str(ROOT), "tag", "--list", version, f"v{version}").split()
    except ProgramError as error:
        yield f"{error}: release from a git checkout"
        return
    if changed:
        yield f"not as committed: {changed[0][3:]}, the first of {len(changed)}: commit or remove what has changed"
    if tagged:
        yield f"{version} is tagged already, as {tagged[0]}: set the next version in pyproject.toml"


def _builder_problems(registry: str) -> Iterator[str]:
    command = shlex.split(os.environ.get("IMAGE_BUILD", ""))
    if command and registry:
        yield "the command of IMAGE_BUILD pushes nothing: unset it, and install docker, podman or buildah"
    elif command and not have(command[0]):
        yield f"IMAGE_BUILD: there is no program {command[0]!r}: correct it"
    elif not command:
        try:
            images.first_builder()
        except DeployError as error:
            yield str(error)


def _registry_problems(version: str, registry: str) -> Iterator[str]:
    host = registry.partition("/")[0]
    url = f"{'http' if _plain(registry) else 'https'}://{host}/v2/"
    if not answers(url):
        yield f"no registry answers at {url}: correct REGISTRY"
    elif have("helm"):
        try:
            ask("helm", "show", "chart", f"{_charts(registry)}/{CHART.name}", "--version", version, *_plain(registry))
        except ProgramError:
            return
        yield f"{registry} has a chart of {version} already: set the next version in pyproject.toml"


def answers(url: str) -> bool:
    """Whether a registry is there (OCI Distribution Specification, end-1), perhaps only for users who log in."""
    try:
        with urllib.request.urlopen(url, timeout=REGISTRY_TIMEOUT_S):
            return True
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)
    except (OSError, ValueError):
        return False


def build_packages(folder: Path) -> None:
    """The sdist, and the wheel from the sdist, by a setuptools that is in the lock. Raises ProgramError."""
    locked_tools = ("--build-constraints", str(ROOT / "requirements.txt"), "--require-hashes")
    command = (sys.executable, "-m", "uv", "build", "--quiet", "--no-create-gitignore", "--python", sys.executable)
    ask(*command, *locked_tools, "--out-dir", str(folder), str(ROOT), timeout_s=BUILD_TIMEOUT_S)


def write_sbom(image: Image, version: str, path: Path) -> None:
    """CycloneDX of what the image installs, the same for the same lock. Raises ProgramError."""
    with tempfile.TemporaryDirectory() as temporary:
        requirements, project = Path(temporary) / "requirements.txt", Path(temporary) / "pyproject.toml"
        requirements.write_text(installed(image), encoding="utf-8")
        project.write_text(
            f'[project]\nname = "sweetspot-{image.name}"\nversion = "{version}"\nlicense = "MIT"\n', encoding="utf-8"
        )
        command = (sys.executable, "-m", "cyclonedx_py", "requirements", "--pyproject", str(project))
        ask(*command, "--output-reproducible", "--output-file", str(path), str(requirements), timeout_s=BUILD_TIMEOUT_S)


def installed(image: Image) -> str:
    """The lines of the locks that the Dockerfile installs into the image, without those for other systems.

    A package of several extras is there once.
    """
    text = "".join((LOCKS / f"{part}.txt").read_text(encoding="utf-8") for part in ("service", *image.extras))
    packages = dict.fromkeys(re.split(r"^(?=\S)", text, flags=re.MULTILINE))
    return "".join(each for each in packages if _is_for_linux(each))


def _is_for_linux(locked: str) -> bool:
    """Whether the marker of a package's lines is true: this interpreter is of the images' kind."""
    marker = Requirement(locked.partition(" \\\n")[0]).marker if locked else None
    return bool(locked) and (marker is None or marker.evaluate())


def checksums(folder: Path) -> str:
    """A line for each file, as `sha256sum --check` reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files)
    return "".join(lines)


def _charts(registry: str) -> str:
    """Beside the folder of the images, which may have one of the chart's name."""
    return f"oci://{registry}/charts"


def _plain(registry: str) -> tuple[str, ...]:
    host = re.sub(r":\d+$", "", registry.partition("/")[0])
    return ("--plain-http",) if host in _LOOPBACK else ()


def _notify(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
