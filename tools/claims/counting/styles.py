"""What each style of a handler costs: in code, which is exact, and in memory and time, which are measured.

The figures are those of `sweetspot styles`; here they only get paths. Must not know a style's name.
"""

from typing import Any

from tools.local import Programs
from tools.styles import measure

_CODE = ("code", "lines_to_change")
_STACKS = ("suspended", "resume_ns")


def code(programs: Programs) -> dict[str, Any]:
    """Style -> `code` and `lines_to_change`. Raises LocalError."""
    return _only(_CODE, programs)


def stacks(programs: Programs) -> dict[str, Any]:
    """Style -> `suspended`, in bytes, and `resume_ns` by depth, in nanoseconds. Raises LocalError."""
    return _only(_STACKS, programs)


def _only(parts: tuple[str, ...], programs: Programs) -> dict[str, Any]:
    costs = measure(programs)
    return {style: {part: cost[part] for part in parts} for style, cost in costs.items()}
