"""Stands for `-m services`: it lists three models, one of which this machine cannot start."""

import runpy
import sys

from tools.local import Programs

ABSENT = "absent"
LISTED = {
    "reactor": "cooperative non-blocking",
    "thread_per_connection": "preemptive blocking",
    ABSENT: "cooperative completion",
}

if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(f"{name}\tis listed\t\t\t{kind}" for name, kind in LISTED.items()))
    elif sys.argv[1] == ABSENT:
        print("absent: no such machine", file=sys.stderr)
        sys.exit(3)
    else:
        runpy.run_module("services", run_name="__main__", alter_sys=True)

PROGRAMS = Programs(services=(sys.executable, "-m", "tests.tools.claims.counting.few_models"))
