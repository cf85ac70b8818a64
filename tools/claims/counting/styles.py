"""What each style of a handler costs: in code, which is exact, and in memory and time, which are measured.

The figures are those of `sweetspot styles`; here they only get paths. Must not know a style's name.
"""

from typing import Any

from tools.local import Programs
from tools.styles import measure


def code(programs: Programs) -> dict[str, Any]:
    """Style -> `code` and `lines_to_change`. Raises LocalError."""
    return measure(programs, "code")


def stacks(programs: Programs) -> dict[str, Any]:
    """Style -> `suspended`, in bytes, and `resume_ns` by depth, in nanoseconds. Raises LocalError."""
    return measure(programs, "stacks")
