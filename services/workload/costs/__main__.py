"""`python -m services.workload.costs`: what each style costs, as JSON on standard output. Takes a few seconds."""

import inspect
import json
import subprocess
import sys
from dataclasses import asdict

from services.workload.costs import STYLES, chain, depth, edits, source


def main() -> None:
    """Prints it."""
    print(json.dumps({style: _of(style) for style in STYLES}))


def _of(style: str) -> dict[str, object]:
    handlers = STYLES[style]
    command = [sys.executable, "-m", "services.workload.costs.suspended", style]
    return {
        "code": asdict(source.read(style, handlers)),
        "lines_to_change": {
            "handler": edits.lines_to_change(inspect.getsource(handlers), edits.edited(style, handlers)),
            "chain": edits.lines_to_change(chain.PLAIN, chain.AFTER[style]),
        },
        "suspended": json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout),
        "resume_ns": depth.resume_ns(style),
    }


if __name__ == "__main__":
    main()
