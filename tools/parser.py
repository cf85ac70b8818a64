"""The parser of each command line of the tools. Imports the standard library only, so that `--help` is fast."""

import argparse
from typing import NoReturn

from tools.status import REFUSED


class Parser(argparse.ArgumentParser):
    """Reports an error as one line on stderr, with exit status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {message} (--help lists all flags)\n")
