"""The counting of trust: a fault that does harm in a style shows on that style's side."""

import json
import sys
from typing import Any

from tools.claims.counting import trust
from tools.local import Programs


def style(*, hands_over: bool, wrong: str) -> dict[str, Any]:
    return {"hands_over": hands_over, "faults": {fault: {"right": int(fault != wrong)} for fault in ("never", "twice")}}


def test_styles_that_go_wrong_are_counted_by_whether_they_hand_over() -> None:
    seen = {
        "closures": style(hands_over=True, wrong="twice"),
        "ripped": style(hands_over=True, wrong="twice"),
        "linear": style(hands_over=False, wrong="never"),
    }
    found = trust.count(Programs(trust=(sys.executable, "-c", f"print({json.dumps(seen)!r})")))
    assert found["twice"] == {"handed_over": 2, "straight": 0}
    assert found["never"] == {"handed_over": 0, "straight": 1}
    assert found["styles"] == {"handed_over": 2, "straight": 1}
