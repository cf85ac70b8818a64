"""Makes a results folder, before anything is measured."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools import bundle
from tools.calibrate import calibration
from tools.calibrate.calibration import Calibration
from tools.experiment import Experiment
from tools.results import write_whole
from tools.scale.results import FOLDER as CELLS
from tools.target import Target


def prepare(
    folder: Path, asked: Experiment, target: Target, described: Mapping[str, Any], known: Calibration | None
) -> None:
    """Makes the results folder. Warns if files, machine or code of a resumed run have changed.

    `known` is the calibration of this machine. Raises BadResultsError.
    """
    if (folder / bundle.NAME).exists():
        # The end of this run closes the folder again, with these files as they are.
        for line in bundle.changes(folder, bundle.read(folder)):
            print(f"sweetspot: {folder}: since the run ended, {line}", file=sys.stderr)
    text = json.dumps(described, indent=1) + "\n"
    path = folder / "environment.json"
    if not (folder / "experiment.yaml").exists():
        write_whole(folder / "experiment.yaml", asked.to_yaml())
    for name in (CELLS if asked.scale is not None else "trials", "traces"):
        (folder / name).mkdir(exist_ok=True)
    if not path.exists():
        write_whole(path, text)
        if known is not None:
            calibration.write(folder, known)
        target.begin_run(folder)
    elif path.read_text(encoding="utf-8") != text:
        print(
            f"sweetspot: the machine or the code differs from {path}: do not compare old trials with new ones",
            file=sys.stderr,
        )
