"""`python -m services.workload.costs [code|stacks ...]`: what each style costs, as JSON on standard output.

`code` is read from the source in a second; `stacks` is measured, which takes some seconds. Without an argument: both.
"""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from services.workload.costs import STYLES, chain, depth, edits, source


def main(parts: Sequence[str]) -> None:
    """Prints it."""
    print(json.dumps({style: _of(style, parts or tuple(PARTS)) for style in STYLES}))


def _of(style: str, parts: Sequence[str]) -> dict[str, object]:
    return {name: cost for part in parts for name, cost in PARTS[part](style).items()}


def _code(style: str) -> dict[str, object]:
    handlers = STYLES[style]
    return {
        "code": asdict(source.read(style, handlers)),
        "lines_to_change": {
            "handler": edits.lines_to_change(inspect.getsource(handlers), edits.edited(style, handlers)),
            "chain": edits.lines_to_change(chain.PLAIN, chain.AFTER[style]),
        },
    }


def _stacks(style: str) -> dict[str, object]:
    command = [sys.executable, "-m", "services.workload.costs.suspended_bytes", style]
    return {
        "suspended": json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout),
        "resume_ns": depth.resume_ns(style),
    }


PARTS: dict[str, Callable[[str], dict[str, object]]] = {"code": _code, "stacks": _stacks}

if __name__ == "__main__":
    main(sys.argv[1:])
