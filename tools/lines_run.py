"""`python -m tools.lines_run NOTED FILE MODULE ARGUMENT ...`: runs a module, and notes which lines of NOTED run.

NOTED is a module, too. FILE gets JSON when all has ended: its path, and the lines within functions that ran, sorted.
Must not know what either module is.
"""

import importlib.util
import inspect
import json
import runpy
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any


def main(noted: str, file: str, module: str, *arguments: str) -> None:
    """Runs it."""
    spec = importlib.util.find_spec(noted)
    assert spec is not None
    path = spec.origin
    lines: set[int] = set()

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        return note if code.co_filename == path and code.co_flags & inspect.CO_OPTIMIZED else None  # a function

    def note(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            lines.add(frame.f_lineno)
        return note

    sys.argv = ["", *arguments]
    threading.settrace(enter)
    sys.settrace(enter)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.settrace(None)
        Path(file).write_text(json.dumps({"path": path, "lines": sorted(lines)}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
