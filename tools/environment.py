"""Where an experiment ran: what a reader needs to doubt a number, or to get it again. Must not know any result."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from tools.local import Pinning

DISTRIBUTION = "sweetspot"
_OF_MACHINE = ("cpu", "cpus", "kernel", "python")
"""Keys of what `describe` returns that decide how fast a program runs."""


def describe(pinning: Pinning | None, open_files: int) -> dict[str, Any]:
    """The machine and the code, as plain data."""
    return {
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "pinning": "none: everything shares one CPU" if pinning is None else _pinning(pinning),
        "open_files": open_files,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **describe_code(),
    }


def is_same_machine(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two of these are of machines that are alike, with the same interpreter."""
    return all(one.get(key) == other.get(key) for key in _OF_MACHINE)


def describe_code() -> dict[str, Any]:
    """What is the same wherever it runs."""
    return {"git_revision": _revision(), "packages": _packages()}


def _pinning(pinning: Pinning) -> dict[str, str]:
    service, others = (", ".join(map(str, cpus)) for cpus in (pinning.service, pinning.others))
    return {"service": f"CPU {service}", "driver and backend": f"CPU {others}"}


def _cpu() -> str:
    """The name in /proc/cpuinfo (proc_cpuinfo(5)); where that gives none, as on some ARM, the architecture."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else platform.machine()


def _revision() -> str:
    """Of the checkout that this file is in; with a mark where that was changed since."""
    try:
        return subprocess.run(
            ["git", "-C", Path(__file__).parent, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown: not a git checkout"


def _packages() -> dict[str, str]:
    """Installed versions of what the project asks for to run; development tools measure nothing."""
    versions = {}
    for requirement in requires(DISTRIBUTION) or ():
        name = re.match(r"[\w.-]+", requirement)
        if name and 'extra == "dev"' not in requirement:
            try:
                versions[name[0]] = version(name[0])
            except PackageNotFoundError:
                versions[name[0]] = "not installed"
    return versions
