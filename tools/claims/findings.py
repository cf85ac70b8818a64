"""What a reader of the README learns first: five findings with the figures of the committed run.

Must not know how a verdict is derived.
"""

import re

from tools.claims import markdown, words
from tools.claims.judged_run import JudgedRun

START, END = "<!-- findings:start -->\n", "<!-- findings:end -->"
PICTURE = re.compile(r"!\[[^\]\n]*\]\(docs/claims\.svg\)")
FIGURE = re.compile(r"\{([CT][1-9][0-9]?[a-z]?)(?:\.([1-9]))?\}")
FINDINGS = (
    (
        "A handler that blocks stalls a whole event loop. In a pool of threads it stalls only its own thread. [C12]",
        "6 calls/s block for 50 ms. p99 of the other calls, event loop divided by pool: {C12}",
        "sweetspot claims C12",
    ),
    (
        "Python's threads gain nothing from a second CPU, due to the interpreter lock [not C5]. Processes do [C42p].",
        "calls/s with two CPUs divided by calls/s with one: thread_pool {C5}, coroutines in two processes {C42p}",
        "sweetspot claims C5 C42p",
    ),
    (
        "An event loop has context switches too. Where calls are rare, it sleeps between them. [not C16]",
        "context switches of the service for each call, at 50 calls/s: {C16}",
        "sweetspot claims C16",
    ),
    (
        "In an event loop, short calls wait until long ones have computed. Threads interrupt the long ones. [C36]",
        "p99 of the short calls beside long ones, event loop divided by thread_pool: {C36}",
        "sweetspot claims C36",
    ),
    (
        "Coroutines need no lock for data that they read and write without a wait in between [C49]. "
        "Where calls wait, their p99 and memory are below those of threads [C50].",
        "lost updates: {C49}; coroutines divided by threads: p99 {C50.2}, memory {C50.3}",
        "sweetspot claims C49 C50",
    ),
)
"""Sentence, figures, command. `{C12}` is the figure of a claim's row, `{C50.2}` that of its second clause."""


def table(claims: JudgedRun) -> str:
    """A row for each finding, with the figures of the run."""
    judged = {each.claim.claim: each for each in claims.judged}

    def figure(named: re.Match[str]) -> str:
        each, clause = judged.get(named[1]), int(named[2] or 0)
        if each is None:
            return "not measured"
        if not clause:
            return words.row(each.claim, each.verdict)[1]
        shown = each.verdict.figures[clause - 1] if clause <= len(each.verdict.figures) else None
        return "no figure" if shown is None else words.figure(each.claim.clauses[clause - 1].statistic, shown)

    rows = [f"| {says} | {FIGURE.sub(figure, measured)} | `{command}` |\n" for says, measured, command in FINDINGS]
    return f"| finding | measured, with its interval | command |\n| --- | --- | --- |\n{''.join(rows)}"


def picture(claims: JudgedRun) -> str:
    """The picture, with its answer in words."""
    tally = words.tally([each.verdict.word for each in markdown.core(claims).judged], None)
    return f"![{tally} A row for each claim: its figure with an interval, beside the threshold.](docs/claims.svg)"
