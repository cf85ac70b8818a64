"""The report: one HTML file that needs no network, made from a results folder.

Must not know how trials are run, and says nothing that the folder does not hold.
"""

from tools.report.page import write

__all__ = ["write"]
