"""The result of a run as JSON: made, checked against the schema beside this file, written.

Knows the schema's words. Must not know how any number came about.
"""

import json
import platform
import sys
from array import array
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from operator import sub
from pathlib import Path
from typing import Any

import jsonschema

from services.driver.accounts import Accounts
from services.driver.atomic_file import write_whole
from services.driver.options import Options
from services.driver.outcome import Book, Outcome
from services.driver.plan import Plan
from services.driver.samples import summarize
from services.driver.schedule import NS_PER_S, Replay
from services.driver.streams import StreamedMessages
from services.driver.tracing import listed
from services.telemetry.tracing import Counts

VERSION = 4
UNWRITTEN = 1
"""Exit status: there is a result, but not where it was to be."""


def make_result(
    options: Options,
    plan: Plan,
    started_at: datetime,
    outcome: Outcome,
    *,
    clock_uncertainty_ns: int = 0,
    spans: Counts | None = None,
) -> dict[str, Any]:
    """The result of a run that began at `started_at` (UTC), by a clock that may differ so much from shard 0's."""
    accounts, window = outcome.accounts, outcome.window
    duration_s = (window.end_ns - window.start_ns) / NS_PER_S
    return {
        "version": VERSION,
        "started_at": started_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "interrupted": outcome.interrupted,
        "addresses": [str(address) for address in options.addresses],
        "plan": plan.described,
        "asked": {
            "loop": "open" if options.streams is None else "closed",
            "balance": options.balance,
            "resolve_s": None if options.balance == "cluster-ip" else options.resolve_s,
            "connections": options.connections,
            "calls_per_connection": options.calls_per_connection,
            "streams": options.streams,
            "rate_rps": options.rate_rps,
            "schedule": None if options.schedule is None else options.schedule.text,
            "arrival": None if options.streams or isinstance(options.schedule, Replay) else options.arrival,
            "warmup_s": options.warmup_s,
            "duration_s": options.duration_s,
            "timeout_s": options.timeout_s,
            "deadline_s": options.deadline_s,
            "method": options.method,
            "trace_ratio": options.trace_ratio,
            "seed": options.seed,
        },
        "got": {
            "connections": outcome.connections,
            "start_spread_ns": 0,
            "connections_lost": outcome.connections_lost,
            "sent_again": outcome.sent_again,
            "in_flight_start": outcome.in_flight_start,
            "in_flight": outcome.in_flight,
            "duration_s": duration_s,
            "answered": outcome.answered,
            "answered_by_tenth": outcome.answered_by_tenth,
            "counted": outcome.counted,
            "within_deadline": None if options.deadline_s is None else outcome.within_deadline,
            "rate_rps": outcome.answered / duration_s if duration_s else 0.0,
        },
        "calls": {
            **_counts(accounts),
            "traced": sum(call.measured for call in outcome.traced),
            "first_messages": {code.name: message for code, message in accounts.messages.items()},
        },
        "clients": outcome.clients,
        **_times(outcome.latencies, outcome.latenesses),
        "first_answer_ns": None if options.calls_per_connection is None else summarize(outcome.first_answers),
        "stream": None if outcome.streams is None else _stream(outcome.streams),
        "driver": {
            "waited_ns": outcome.waited_ns,
            "cpu_user_ns": outcome.cpu_user_ns,
            "cpu_system_ns": outcome.cpu_system_ns,
            "python": platform.python_version(),
        },
        "marks": {"started_monotonic_ns": window.start_ns, "ended_monotonic_ns": window.end_ns},
        "traces": listed(outcome.traced),
        "checksums": dict(outcome.checksums),
        "kinds": {name: _kind(outcome.books[name]) for name in plan.mix},
        "served_by": dict(outcome.served_by),
        "pods": [
            {"host": host, "answered": pod.answered, "first_answer_ns": pod.first_answer_ns - outcome.begin_ns}
            for host, pod in sorted(outcome.pods.items())
        ],
        "spans": None if spans is None else asdict(spans),
        "shards": [
            {
                "index": options.shard.index,
                "of": options.shard.of,
                "connections": options.shard.part(options.connections),
                "begin_monotonic_ns": outcome.begin_ns,
                "begun_late_ns": outcome.begun_late_ns,
                "clock_uncertainty_ns": clock_uncertainty_ns,
                "cpu_ns": outcome.cpu_user_ns + outcome.cpu_system_ns,
            }
        ],
    }


def make_slice(outcome: Outcome, result: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a slice under `slices`, from its outcome and its own result."""
    got, calls, marks = result["got"], result["calls"], result["marks"]
    return {
        "begin_monotonic_ns": outcome.begin_ns,
        "started_monotonic_ns": marks["started_monotonic_ns"],
        "ended_monotonic_ns": marks["ended_monotonic_ns"],
        "drained_monotonic_ns": outcome.drained_ns,
        "answered": got["answered"],
        "counted": got["counted"],
        "within_deadline": got["within_deadline"],
        "planned": calls["planned"],
        "ok": calls["ok"],
        "failed": sum(calls["by_status"].values()),
        "timed_out": calls["timed_out"],
        "not_sent": calls["not_sent"],
        "unfinished": calls["unfinished"],
        "in_flight_start": got["in_flight_start"],
        "in_flight_end": got["in_flight"],
        "answered_by_tenth": got["answered_by_tenth"],
        "cpu_ns": outcome.cpu_user_ns + outcome.cpu_system_ns,
        "clients_served": outcome.clients_served,
        "latency_ns": result["latency_ns"],
        "lateness_ns": result["lateness_ns"],
        "stream": result["stream"],
        "kinds": result["kinds"],
    }


def _stream(streams: StreamedMessages) -> dict[str, Any]:
    return {
        "messages": streams.messages,
        "first_message_ns": summarize(streams.first_messages),
        "gap_ns": summarize(streams.gaps),
    }


def _kind(book: Book) -> dict[str, Any]:
    return {
        "calls": _counts(book.accounts),
        **_times(book.latencies, book.latenesses),
        "checksums": dict(book.checksums),
    }


def _counts(accounts: Accounts) -> dict[str, Any]:
    return {
        "planned": accounts.planned,
        "ok": accounts.ok,
        "by_status": {code.name: count for code, count in accounts.by_status.most_common()},
        "timed_out": accounts.timed_out,
        "not_sent": accounts.not_sent,
        "unfinished": accounts.unfinished,
    }


def _times(latencies: "array[int]", latenesses: "array[int]") -> dict[str, Any]:
    latency_ns = summarize(latencies)
    # Nothing is late in a closed loop.
    service_time_ns = summarize(array("Q", map(sub, latencies, latenesses))) if any(latenesses) else latency_ns
    return {
        "latency_ns": latency_ns,
        "service_time_ns": service_time_ns,
        "lateness_ns": summarize(latenesses),
    }


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every result fulfils."""
    read: dict[str, Any] = json.loads(Path(__file__).with_suffix(".schema.json").read_text(encoding="utf-8"))
    return read


def write(path: Path, result: dict[str, Any]) -> bool:
    """Writes a result that fulfils the schema; where that fails, one line on stderr and the result on stdout.

    Returns whether it is written. Raises jsonschema.ValidationError for what only a mistake in the driver can make.
    """
    jsonschema.validate(result, schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    text = json.dumps(result, indent=1) + "\n"
    try:
        write_whole(path, text)
    except OSError as error:
        where = "on stdout"
        try:
            print(text, end="", flush=True)
        except OSError:
            where = "lost: it cannot be written to stdout either"
        print(f"services.driver: cannot write {path}: {error.strerror}; the result is {where}", file=sys.stderr)
        return False
    return True
