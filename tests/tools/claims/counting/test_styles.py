"""The countings of styles: what the code says once, what is measured in each round."""

import json
import sys

from tools.claims.counting import COUNTINGS
from tools.local import Programs

COSTS = {
    "linear": {
        "code": {"functions": 1},
        "lines_to_change": {"handler": 1},
        "suspended": {"allocated_bytes": 5449},
        "resume_ns": {"64": 35.5},
    }
}
PROGRAMS = Programs(costs=(sys.executable, "-c", f"print({json.dumps(COSTS)!r})"))


def test_what_is_exact_is_counted_once_and_what_is_measured_in_each_round() -> None:
    exact, measured = COUNTINGS["styles"], COUNTINGS["stacks"]
    assert (exact.rounds, measured.rounds) == (False, True)
    assert exact.count(PROGRAMS)["linear"] == {"code": {"functions": 1}, "lines_to_change": {"handler": 1}}
    assert measured.count(PROGRAMS)["linear"] == {"suspended": {"allocated_bytes": 5449}, "resume_ns": {"64": 35.5}}
