"""Names that the command line shows. Imports nothing of the tools, so that `--help` is quick."""

from pathlib import Path

RELEASE = "sweetspot"
"""Of the chart, where no other is given."""
EXPERIMENTS = Path(__file__).with_name("experiments")
"""Holds the experiments that have names."""


def names() -> list[str]:
    """The experiments that need no path."""
    return sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))
