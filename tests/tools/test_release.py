"""`make release`: what it builds at which version, what it checks first, and what it leaves where something fails."""

import hashlib
import json
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest

from services.models import MODELS
from tools.cli import main as sweetspot
from tools.deploy import programs
from tools.deploy.images import ROOT, Image, images, models
from tools.deploy.programs import ProgramError
from tools.release import FOLLOWERS, astray, installed, main, own_version, write_sbom

VERSION = own_version()
REGISTRY = "registry.example/me"
EVERY_IMAGE = ["backend", "driver", "conformance", *(model.replace("_", "-") for model in MODELS)]


class FakePrograms:
    """git, helm, docker, uv and cyclonedx-py; `asked` has the commands that build or push something."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.changed = ""
        self.tags = ""
        self.missing: set[str] = set()
        self.failing = "nothing"
        self.published = False
        self.answering = True

    def have(self, program: str) -> bool:
        """In the place of tools.deploy.programs.have."""
        return program not in self.missing

    def answers(self, _url: str) -> bool:
        """In the place of tools.release.answers."""
        return self.answering

    def __call__(self, *command: str, timeout_s: float = 0) -> str:
        """In the place of tools.deploy.programs.ask."""
        if command[1:3] == ("-m", "services"):
            return programs.ask(*command)
        match command:
            case "git", "-C", _, "status", *_:
                return self.changed
            case "git", "-C", _, "tag", *_:
                return self.tags
            case "helm", "show", *_:
                if not self.published:
                    raise ProgramError(command, "not found")
                return ""
            case "docker", "info":
                return ""
        words = [word for word in command if not word.startswith("-")]
        self.asked.append(" ".join(words))
        if self.failing in self.asked[-1]:
            raise ProgramError(command, "no space left on device")
        for flag, name in (("--out-dir", "sweetspot.whl"), ("--destination", "sweetspot.tgz"), ("--output-file", "")):
            if flag in command:
                path = Path(command[command.index(flag) + 1]) / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(self.asked[-1])
        return ""


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a release appears."""
    monkeypatch.setattr("tools.release.DIST", tmp_path / "dist")
    return tmp_path / "dist"


@pytest.fixture
def fake(dist: Path, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    """Puts fake programs in the place of all others."""
    fake = FakePrograms()
    monkeypatch.delenv("IMAGE_BUILD", raising=False)
    monkeypatch.setattr("tools.release.answers", fake.answers)
    for module in ("tools.release", "tools.deploy.images"):
        monkeypatch.setattr(f"{module}.ask", fake)
        monkeypatch.setattr(f"{module}.have", fake.have)
    return fake


def test_a_release_is_packages_chart_images_and_an_sbom_of_each_image_at_one_version(
    fake: FakePrograms, dist: Path
) -> None:
    assert main([]) == 0
    built = [words.split()[2] for words in fake.asked if words.startswith("docker build")]
    assert built == [f"sweetspot/{image}:{VERSION}" for image in EVERY_IMAGE]
    assert not [words for words in fake.asked if "push" in words]
    (folder,) = dist.iterdir()
    sboms = [f"sbom/{image}.cdx.json" for image in EVERY_IMAGE]
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert folder.name == VERSION
    assert files == {"sweetspot.whl", "chart/sweetspot.tgz", "SHA256SUMS", *sboms}
    sums = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {file for _, file in sums} == files - {"SHA256SUMS"}
    assert all(hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest for digest, file in sums)


def test_images_are_pushed_before_the_chart_that_names_them(
    fake: FakePrograms, dist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--registry", f"oci://{REGISTRY}/"]) == 0
    kinds = [words.split()[:2] for words in fake.asked if words.startswith(("docker", "helm push"))]
    assert kinds == [["docker", "build"]] * 20 + [["docker", "push"]] * 20 + [["helm", "push"]]
    assert fake.asked[-2] == f"docker push {REGISTRY}/sweetspot/grpcio-asyncio:{VERSION}"
    assert fake.asked[-1].endswith(f"sweetspot.tgz oci://{REGISTRY}/charts")
    assert (dist / VERSION).is_dir()
    said = capsys.readouterr().out
    assert f"helm install sweetspot oci://{REGISTRY}/charts/sweetspot --version {VERSION} --set image.registry=" in said
    assert f"git tag --annotate v{VERSION}" in said


def lacking_builders(fake: FakePrograms) -> None:
    fake.missing = {"docker", "podman", "buildah"}


def without_helm(fake: FakePrograms) -> None:
    fake.missing = {"helm"}


def without_git(fake: FakePrograms) -> None:
    fake.missing = {"git"}


def with_changes(fake: FakePrograms) -> None:
    fake.changed = " M tools/cli.py\n?? new.py\n"


def with_a_tag(fake: FakePrograms) -> None:
    fake.tags = f"v{VERSION}\n"


def without_a_registry(fake: FakePrograms) -> None:
    fake.answering = False


def published_already(fake: FakePrograms) -> None:
    fake.published = True


PROBLEMS: dict[str, tuple[Callable[[FakePrograms], None], str]] = {
    "nothing builds images": (lacking_builders, "docker, podman and buildah are missing"),
    "no helm": (without_helm, "helm is not on the PATH: https://helm.sh"),
    "no git": (without_git, "git is not on the PATH: install it"),
    "a dirty tree": (with_changes, "not as committed: tools/cli.py, the first of 2: commit or remove what has changed"),
    "tagged": (with_a_tag, f"{VERSION} is tagged already, as v{VERSION}: set the next version in pyproject.toml"),
    "no registry": (without_a_registry, "no registry answers at https://registry.example/v2/: correct REGISTRY"),
    "published": (published_already, f"has a chart of {VERSION} already: set the next version"),
}


@pytest.mark.parametrize(("breaks", "complaint"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_is_missing_is_one_line_with_what_to_do_and_nothing_is_built(
    fake: FakePrograms,
    dist: Path,
    capsys: pytest.CaptureFixture[str],
    breaks: Callable[[FakePrograms], None],
    complaint: str,
) -> None:
    breaks(fake)
    assert main(["--registry", REGISTRY]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("release: nothing is built: ")
    assert complaint in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert (fake.asked, dist.exists()) == ([], False)


def test_all_that_is_missing_is_named_at_once(fake: FakePrograms, capsys: pytest.CaptureFixture[str]) -> None:
    for breaks in (lacking_builders, with_changes, with_a_tag, without_a_registry):
        breaks(fake)
    assert main(["--registry", REGISTRY]) == 2
    said = capsys.readouterr().err
    complaints = ("not as committed", "is tagged already", "docker, podman and buildah are missing", "no registry")
    assert [complaint for complaint in complaints if complaint not in said] == []
    assert said.count("\n") == 1


def test_a_builder_of_ones_own_is_there_and_pushes_nothing(
    fake: FakePrograms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGE_BUILD", "my-builder --quiet")
    assert main(["--registry", REGISTRY]) == 2
    assert "the command of IMAGE_BUILD pushes nothing: unset it" in capsys.readouterr().err
    fake.missing = {"my-builder"}
    assert main([]) == 2
    assert "IMAGE_BUILD: there is no program 'my-builder'" in capsys.readouterr().err
    assert not fake.asked


@pytest.mark.parametrize("step", ["uv build", "helm package", "sbom/seda", "docker build", "docker push", "helm push"])
def test_a_release_that_fails_shows_no_part_of_itself(
    fake: FakePrograms, dist: Path, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    fake.failing = step
    assert main(["--registry", REGISTRY]) == 2
    assert "no space left on device" in capsys.readouterr().err
    assert list(dist.iterdir()) == []


def test_a_registry_of_this_machine_is_asked_over_plain_http(
    fake: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.release.answers", lambda url: url == "http://localhost:5000/v2/")
    assert main(["--registry", "localhost:5000"]) == 0
    assert fake.asked[-1].endswith("oci://localhost:5000/charts")


def test_the_version_is_the_same_wherever_it_is_repeated() -> None:
    assert list(astray(VERSION)) == []
    assert len(list(astray("9.9.9"))) == len(FOLLOWERS)


def test_commands_in_documents_have_the_version_of_today() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {(path.name, tag) for path in documents for tag in re.findall(r"--tag (\d[\w.-]*)", path.read_text())}
    assert {tag for _, tag in named} <= {VERSION}, named


def test_the_command_shows_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        sweetspot(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"sweetspot {VERSION}\n", "installed from another pyproject.toml: make setup"


def test_the_version_takes_less_than_half_a_second_of_cpu() -> None:
    def cpu_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "tools.cli", "--version"], cwd=ROOT, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_s() for _ in range(3)) < 0.5


def test_a_library_that_is_missing_is_one_line_and_a_missing_part_of_the_project_is_a_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def execute(*_: object) -> int:
        raise ModuleNotFoundError("No module named 'scipy'", name="scipy.stats")

    monkeypatch.setattr("tools.commands.execute", execute)
    assert sweetspot(["styles"]) == 2
    said = capsys.readouterr().err
    assert said == "sweetspot: scipy.stats is missing: install sweetspot with its extras tools, driver\n"
    monkeypatch.setattr("tools.cli.OWN_PACKAGES", ("scipy",))
    with pytest.raises(ModuleNotFoundError):
        sweetspot(["styles"])


def test_an_sbom_lists_what_the_image_installs_with_its_hashes(tmp_path: Path) -> None:
    (green,) = [image for image in images(models()) if image.name == "green-threads"]
    write_sbom(green, VERSION, tmp_path / "green.json")
    bom = json.loads((tmp_path / "green.json").read_text())
    components = {each["name"]: each for each in bom["components"]}
    assert (bom["metadata"]["component"]["name"], bom["metadata"]["component"]["version"]) == (
        "sweetspot-green-threads",
        VERSION,
    )
    assert {"ngh2", "protobuf", "gevent", "greenlet"} <= components.keys()
    assert not components.keys() & {"pycparser", "uvloop", "grpcio", "pytest"}
    assert components["gevent"]["purl"].startswith("pkg:pypi/gevent@")
    assert all(each["externalReferences"][0]["hashes"] for each in components.values())
    assert "serialNumber" not in bom, "the same lock gives the same SBOM"
    assert "timestamp" not in bom["metadata"]


def test_the_locks_of_an_sbom_are_those_that_the_dockerfile_installs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"--requirement (\S+)", dockerfile) == ["requirements/service.txt", "requirements/$extra.txt"]
    names = re.findall(r"^([\w.-]+)==", installed(Image("x", "driver", ("driver", "cluster"))), re.MULTILINE)
    assert {"ngh2", "hdrhistogram", "msgspec"} <= set(names)
    assert len(names) == len(set(names))


def test_every_data_file_of_the_code_goes_into_the_wheel() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = setuptools["package-data"]["*"]
    files = [path for folder in ("services", "tools") for path in (ROOT / folder).rglob("*") if path.is_file()]
    data = {path.name for path in files if path.suffix not in (".py", ".pyc")}
    assert "default.yaml" in data
    assert [name for name in sorted(data) if not any(fnmatch(name, pattern) for pattern in patterns)] == []
