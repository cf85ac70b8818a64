"""What happens to a call if its backend misbehaves: in how many styles does it go wrong?

Must not know a style's name.
"""

from typing import Any

from tools.local import Programs, json_of

TIMEOUT_S = 30.0


def count(programs: Programs) -> dict[str, Any]:
    """Fault -> styles in which a call goes wrong: of those that hand callbacks over, and of those that do not.

    `styles` has the number of either, and `seen` what each call did. Raises LocalError.
    """
    seen: dict[str, Any] = json_of("trust", programs.trust, TIMEOUT_S)
    handed_over = [style["faults"] for style in seen.values() if style["hands_over"]]
    straight = [style["faults"] for style in seen.values() if not style["hands_over"]]
    faults = next(iter(seen.values()))["faults"]
    wrong = {
        fault: {"handed_over": _wrong(fault, handed_over), "straight": _wrong(fault, straight)} for fault in faults
    }
    return {**wrong, "styles": {"handed_over": len(handed_over), "straight": len(straight)}, "seen": seen}


def _wrong(fault: str, styles: list[dict[str, Any]]) -> int:
    return sum(not style[fault]["right"] for style in styles)
