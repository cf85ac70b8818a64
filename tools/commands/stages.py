"""`sweetspot stages`: shows and steers the stages of a service that runs."""

import argparse

from rich.console import Console

from tools import stages
from tools.local import Programs


def execute(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    """Shows what holds after the change, too."""
    if args.doing == "set":
        stages.steer(args.address, args.stage, stages.settings(args.settings))
    stages.show(console, stages.read(args.address))
    return 0
