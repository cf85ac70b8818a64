"""The commands of the documents that a test executes, and those that none does, with the reason.

A command has the row of the first pattern that it matches as a whole. Parsers check the words of all of them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Short:
    """How a command is made short: words that are replaced, by their place, and flags that are added.

    `{address}` and `{control}` in either are those of a service that runs.
    """

    replaced: Mapping[int, str] = field(default_factory=dict)
    more: Sequence[str] = ()
    ends: Sequence[int] = (0,)
    """The exit statuses that are right."""
    serves: str = ""
    """The model of the service that runs; empty: there is none."""

    def words(self, command: Sequence[str]) -> tuple[str, ...]:
        """Those that are executed. Nothing is written outside of the folder of the test."""
        replaced = (self.replaced.get(place, word) for place, word in enumerate(command))
        return (*(word.removeprefix("/tmp/") for word in replaced), *self.more)


QUICK = ("--address", "{address}", "--duration", "0.1", "--warmup", "0")
RUN = "results/run"
EXECUTED = {
    r"sweetspot (verify|report) results/\S+": Short({2: RUN}),
    r"sweetspot compare results/.*": Short(),
    r"sweetspot export results/\S+ --(csv|hlog|junit|prometheus) \S+": Short(),
    r"sweetspot explain \w+( --trace)?": Short(),
    r"sweetspot claims --(list|check)": Short(),
    r"sweetspot run --resume results/\S+": Short({3: RUN}),
    r"sweetspot run [\w.-]+ --strict": Short({2: "short.yaml"}, ends=(0, 42)),  # void on a busy machine
    r"sweetspot run [\w.-]+( --(models|results) \S+| --despite-noise)*": Short({2: "short.yaml"}),
    r"sweetspot stages (show|set) .*": Short({3: "{control}"}, serves="seda"),
    r"python -m services --(list|help)": Short(),
    r"python -m services [a-z].*": Short(more=("--check",)),
    r"python -m services\.driver (?!.*--barrier).*": Short(more=QUICK, serves="reactor"),
    r"python -m services\.driver\.order .*": Short(more=("--address", "{address}"), serves="reactor"),
    r"diff services/\S+ services/\S+": Short(ends=(1,)),
}

CLUSTER = "needs a cluster; tests/cluster does the same there"
MINUTES = "takes minutes"
OTHERS = "is a program that the project does not need"
LISTED = {
    r"sweetspot .*--cluster.*": CLUSTER,
    r"sweetspot (results|traces) .*": CLUSTER,
    r"(kubectl|helm) .*": CLUSTER,
    r"make (cluster|deploy|images|undeploy)( .*)?": CLUSTER,
    r"make( .*)?": MINUTES,
    r"sweetspot (calibrate|claims|knee|map|size)( .*)?": MINUTES + "; tests/tools has a short form of it",
    r"sweetspot styles( --json)?": "takes 10 s; tests/tools/test_styles.py has a short form of it",
    r"python -m tools\.bench .*": MINUTES,
    r"python -m services\.driver(\.merge| .*--barrier) .*": "needs two machines; tests/driver joins shards of one",
    r"(grpcurl|openssl|build/testers/\w+) .*": OTHERS,
    r"source \.venv/bin/activate": "is a word of the shell",
}
"""Pattern -> why no test executes such a command."""


ROWS: Mapping[str, Short | str] = {**EXECUTED, **LISTED}


def pattern_of(command: str) -> str | None:
    """The first pattern that the command matches; None where there is none."""
    return next((pattern for pattern in ROWS if re.fullmatch(pattern, command)), None)
