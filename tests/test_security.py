"""SECURITY.md states the limits that the code has."""

import re
from dataclasses import fields
from pathlib import Path

from services.backend import MAX_CONCURRENT_STREAMS
from services.models.process_per_connection import MOST_PROCESSES, PROCESS_BYTES
from services.network.listen import STALL_S
from services.runtime.config import Config
from services.runtime.connections.linger import WRITE_STALL_S
from services.runtime.memory import MOST_BYTES, SHARE, TLS_BYTES
from services.wire.limits import UPDATE_EARNED_BYTES, Allowance, Limits
from services.wire.memory import FREE_BYTES
from services.workload.plan import MAX_PAYLOAD_BYTES, MAX_STEPS, MAX_VALUES
from tests.conformance.costs import GROWTH_BYTES, MIB, NOISE_S, TIMES
from tools.release import own_version

TEXT = " ".join((Path(__file__).parents[1] / "SECURITY.md").read_text(encoding="utf-8").split())


def test_each_budget_of_a_connection_is_the_one_of_the_code() -> None:
    limits = Limits()
    budgets = {each.name: getattr(limits, each.name) for each in fields(Limits)}
    rows = re.findall(r"\| `(\w+)`[^|]*\| ([\d,]+) \| ([\d,]+) \|", TEXT)
    stated = {name: Allowance(*(int(number.replace(",", "")) for number in numbers)) for name, *numbers in rows}
    assert stated == {name: budget for name, budget in budgets.items() if isinstance(budget, Allowance)}


def test_each_other_limit_is_the_one_of_the_code() -> None:
    limits, config = Limits(), Config()
    sentences = [
        f"open streams, and calls that run | {limits.max_concurrent_streams} (backend: {MAX_CONCURRENT_STREAMS:,})",
        f"one message, decompressed | {limits.max_message_bytes // MIB} MiB",
        f"one list of header fields | {limits.max_header_list_bytes // 1024} KiB",
        f"unread request bytes of a stream | {limits.stream_window_bytes:,} bytes",
        f"unread request bytes of a connection | {limits.connection_window_bytes // MIB} MiB",
        f"beyond one for each {UPDATE_EARNED_BYTES} bytes",
        f"{MAX_CONCURRENT_STREAMS:,} resets at once and {MAX_CONCURRENT_STREAMS:,} per second",
        f"{MOST_BYTES // MIB} MiB at most",
        f"may always hold {FREE_BYTES // 1024} KiB",
        f"The service checks every {limits.check_s:g} s",
        f"acknowledgement of SETTINGS, together | {limits.opening_s:g} s |",
        f"a request that is not complete | {limits.stall_s:g} s |",
        f"whose handler waits for room | {limits.stall_s:g} s |",
        f"while the peer opens none at all | {limits.stall_s:g} s |",
        f"to take bytes from TCP | {STALL_S} s, or {WRITE_STALL_S} s where a thread writes |",
        f"on an idle connection | {2 * STALL_S} s |",
        f"that drains, without calls | {limits.opening_s:g} s |",
        f"when the service stops (`--drain-timeout-s`) | {config.drain_timeout_s:.0f} s |",
        f"takes {TLS_BYTES // 1024} KiB of the budget",
        f"and {MOST_PROCESSES * PROCESS_BYTES // MIB} MiB at most",
        f"plus {NOISE_S * 1e3:.0f} ms of CPU time",
        f"grow by {GROWTH_BYTES // MIB} MiB, plus {PROCESS_BYTES // MIB} MiB",
        f"| steps | {MAX_STEPS} |",
        f"| {MAX_VALUES['compute']['rounds']:,}; ",
        f"time of one step | {MAX_VALUES['sleep']['duration_us'] // 1_000_000} s |",
        f"| {MAX_PAYLOAD_BYTES // MIB} MiB each |",
        f"`touch` step | {MAX_VALUES['touch']['working_set_kib'] // 1024} MiB |",
        f"| {config.host}, a free port |",
    ]
    assert [sentence for sentence in sentences if sentence not in TEXT] == []
    assert (TIMES, SHARE) == (2, 8), "`twice` and `one eighth`"


def test_the_version_that_is_released_is_supported() -> None:
    assert f"| {own_version().rpartition('.')[0]}.x | yes |" in TEXT
