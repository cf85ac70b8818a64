"""`python -m services.driver.slices`: loads services in turn, one slice at a time, as JSON lines on stdin ask.

    {"do": "open", "name": "a", "arguments": ["--address", "127.0.0.1:1", "--connections", "10", ...]}
        -> {"opened": "a", "connections": 10}
    {"do": "slice", "name": "a", "warmup_s": 0.05, "duration_s": 0.3, "seed": 7, "rate_rps": null}
        -> {"sliced": "a", "slice": {...}}
    {"do": "close", "name": "a"}
        -> {"closed": "a", "result": {...}}
    {"do": "check", "name": "a", "arguments": [...]}: reads flags and plan, and opens nothing
        -> {"checked": "a"}
    anything else, or what cannot be done
        -> {"refused": "a", "why": "one line"}

One answer a line on stdout, in order. `arguments` are the flags of `python -m services.driver` without --out, --shard
and --barrier. Of a slice every number may be left out or null: it is then as opened. Between slices connections stay
open and carry nothing. The result is that of result.schema.json, all slices added up, with each under `slices`.
The end of stdin ends the process, exit status 0, and what is not closed has no result; 2 for a variable of the
environment that is rejected. Must not know how load is made.
"""

import json
import os
import re
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.driver.load_run import REFUSALS, LoadRun
from services.driver.options import OptionError, Options, parse_slices
from services.driver.plan import read_plan
from services.telemetry import Tracing
from services.telemetry.environment import RefusedVariableError, check

OPEN_AT_MOST = 128

# Keys of a slice -> flags that mean the same.
_FLAGS = {"warmup_s": "--warmup", "duration_s": "--duration", "seed": "--seed", "rate_rps": "--rate"}
# NUL, and surrogates but for those of undecodable bytes (PEP 383).
_NO_PATH = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
_KEYS = {
    "open": {"do", "name", "arguments"},
    "slice": {"do", "name", *_FLAGS},
    "close": {"do", "name"},
    "check": {"do", "name", "arguments"},
}


class _CommandError(Exception):
    """What is wrong with a command, in one line."""


@dataclass(slots=True)
class _OpenRun:
    arguments: Sequence[str]
    epoll: select.epoll
    run: LoadRun
    slices: list[dict[str, Any]] = field(default_factory=list)


class OpenRuns:
    """The runs that are open, by name."""

    def __init__(self) -> None:
        self._open: dict[str, _OpenRun] = {}
        # Made before any connection: select(2) takes no descriptor above 1,023.
        self._epolls = [select.epoll() for _ in range(OPEN_AT_MOST)]

    def answer(self, line: str | bytes) -> dict[str, Any]:
        """Does what a line asks for. Returns the answer."""
        name: str | None = None
        try:
            command = _read(line)
            name = command["name"]
            match command["do"]:
                case "open":
                    return {"opened": name, "connections": self._do_open(name, _arguments(command))}
                case "check":
                    return self._do_check(name, parse_slices(_arguments(command)))
                case "slice":
                    return {"sliced": name, "slice": self._do_slice(name, command)}
                case _:
                    return {"closed": name, "result": self._do_close(name)}
        except (_CommandError, OptionError, *REFUSALS) as error:
            return {"refused": name, "why": str(error)}
        except RecursionError:
            return {"refused": name, "why": "nested too deeply for a command; give flags in a flat list"}

    def _do_check(self, name: str, options: Options) -> dict[str, Any]:
        """Imports what `open` needs, too."""
        read_plan(options.plan)
        try:
            Tracing.preload(options.trace_file)
        except OSError as error:
            raise _CommandError(f"cannot write {error.filename}: {error.strerror}") from None
        return {"checked": name}

    def _do_open(self, name: str, arguments: Sequence[str]) -> int:
        if name in self._open:
            raise _CommandError(f"name: {name!r} is open already; close it first")
        if bad := next((each for each in arguments if _NO_PATH.search(each)), None):
            raise _CommandError(f"arguments: {bad!r} has a character that no path can have")
        if not self._epolls:
            raise _CommandError(f"{OPEN_AT_MOST} names are open, which is the maximum; close one first")
        epoll = self._epolls.pop()
        try:
            run = LoadRun(parse_slices(arguments), lambda _: None, epoll=epoll)
            connections = run.open()
        except Exception:
            self._epolls.append(epoll)
            raise
        self._open[name] = _OpenRun(arguments, epoll, run)
        return connections

    def _do_slice(self, name: str, command: Mapping[str, Any]) -> dict[str, Any]:
        to = self._open_run(name)
        flags = [f"{flag}={command[key]}" for key, flag in _FLAGS.items() if command.get(key) is not None]
        entry = to.run.slice(parse_slices([*to.arguments, *flags]))
        to.slices.append(entry)
        return entry

    def _do_close(self, name: str) -> dict[str, Any] | None:
        """None where there was no slice."""
        closed = self._open_run(name)
        del self._open[name]
        closed.run.close()
        self._epolls.append(closed.epoll)
        return closed.run.result() | {"slices": closed.slices} if closed.slices else None

    def _open_run(self, name: str) -> _OpenRun:
        if name not in self._open:
            raise _CommandError(f"name: {name!r} is not open; open it first")
        return self._open[name]


def _arguments(command: Mapping[str, Any]) -> Sequence[str]:
    arguments = command.get("arguments")
    if not (isinstance(arguments, list) and all(isinstance(each, str) for each in arguments)):
        raise _CommandError("arguments: not a list of strings; give flags of python -m services.driver")
    return arguments


def _read(line: str | bytes) -> dict[str, Any]:
    """A command with keys that it may have."""
    try:
        command = json.loads(line)
    except ValueError as error:
        raise _CommandError(f"not a line of JSON: {error}") from None
    what = command.get("do") if isinstance(command, dict) else None
    if not (isinstance(what, str) and what in _KEYS):
        raise _CommandError(f"do: {what!r} is not one of {', '.join(_KEYS)}")
    if not isinstance(command.get("name"), str):
        raise _CommandError(f"name: {command.get('name')!r} is not a string")
    if unknown := sorted(command.keys() - _KEYS[what]):
        raise _CommandError(f"{unknown[0]}: not a key of {what}; its keys are {', '.join(sorted(_KEYS[what]))}")
    return dict(command)


def main() -> int:
    """Runs until the end of stdin. Returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        check()
    except RefusedVariableError as error:
        print(f"services.driver.slices: {error}", file=sys.stderr)
        return 2
    slices = OpenRuns()
    for line in sys.stdin.buffer:
        answer = json.dumps(slices.answer(line))
        try:
            print(answer, flush=True)
        except BrokenPipeError:
            # What asked has gone (docs.python.org/3/library/signal.html, "Note on SIGPIPE").
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            break
    return 0


if __name__ == "__main__":
    sys.exit(main())
