"""`sweetspot styles`: what each style of a handler costs."""

import argparse
import json

from rich.console import Console

from tools import styles
from tools.local import Programs


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Measures anew each time."""
    costs = styles.measure(programs)
    if args.json:
        print(json.dumps(costs, indent=1))
    else:
        styles.show(console, costs)
    return 0
