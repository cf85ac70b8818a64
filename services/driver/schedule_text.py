"""A schedule as it is written: text and, where it names one, a file in; a value of schedule.py out.

    steps:100@2s,200@2s     100 calls/s for 2 s, then 200 calls/s for 2 s
    ramp:100-400@10s        from 100 to 400 calls/s, evenly, in 10 s
    burst:50+500@0.1s/1s    500 calls/s for the first 0.1 s of every second, else 50
    replay:FILE             a time in seconds a line, each larger than the one before

A schedule begins with the run, so the warm-up is a part of it, and is repeated to fill the run. Must not know a clock.
"""

import math
import re
from functools import cache
from pathlib import Path

from services.driver.schedule import Rates, Replay, Schedule, Segment

MAX_RATE_RPS = 1_000_000.0
MIN_SEGMENT_S = 0.001
MAX_SEGMENT_S = 86_400.0

_NUMBER = r"(\d+(?:\.\d+)?)"
_FORMS = {
    "steps": (re.compile(f"{_NUMBER}@{_NUMBER}s"), "100@2s"),
    "ramp": (re.compile(f"{_NUMBER}-{_NUMBER}@{_NUMBER}s"), "100-400@10s"),
    "burst": (re.compile(rf"{_NUMBER}\+{_NUMBER}@{_NUMBER}s/{_NUMBER}s"), "50+500@0.1s/1s"),
}


class ScheduleError(Exception):
    """What is wrong with a schedule, in one line."""


@cache
def read_schedule(text: str) -> Schedule:
    """Reads a schedule and, once in a process, the file that it names. Raises ScheduleError."""
    form, _, what = text.partition(":")
    if form == "replay":
        return Replay(_offsets_s(Path(what)), text)
    if form not in _FORMS:
        forms = [f"{name}:{example}" for name, (_, example) in _FORMS.items()]
        raise ScheduleError(f"{text!r} is not one of {', '.join(forms)}, replay:FILE")
    segments = _segments(form, what)
    if not any(segment.calls for segment in segments):
        raise ScheduleError(f"{text!r} sends no calls; give at least one rate above 0")
    return Rates(segments, text)


def _segments(form: str, what: str) -> tuple[Segment, ...]:
    if form == "steps":
        return tuple(_segment(rate, rate, s) for rate, s in (_numbers(form, part) for part in what.split(",")))
    if form == "ramp":
        first, last, s = _numbers(form, what)
        return (_segment(first, last, s),)
    base, burst, s, period_s = _numbers(form, what)
    if s >= period_s:
        raise ScheduleError(f"{what!r}: a burst of {s:g} s is not shorter than its period of {period_s:g} s")
    return (_segment(burst, burst, s), _segment(base, base, period_s - s))


def _numbers(form: str, part: str) -> list[float]:
    pattern, example = _FORMS[form]
    if (found := pattern.fullmatch(part)) is None:
        raise ScheduleError(f"{part!r} is not of the form {example}")
    return [float(number) for number in found.groups()]


def _segment(first_rps: float, last_rps: float, duration_s: float) -> Segment:
    if max(first_rps, last_rps) > MAX_RATE_RPS:
        raise ScheduleError(f"{max(first_rps, last_rps):,.0f} calls/s are more than {MAX_RATE_RPS:,.0f}")
    if not MIN_SEGMENT_S <= duration_s <= MAX_SEGMENT_S:
        raise ScheduleError(f"{duration_s:g} s are not within {MIN_SEGMENT_S:g} to {MAX_SEGMENT_S:,.0f} s")
    return Segment(first_rps, last_rps, duration_s)


def _offsets_s(path: Path) -> tuple[float, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ScheduleError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScheduleError(f"{path}: not a text file; write one number of seconds on each line") from None
    offsets_s: list[float] = []
    for number, line in enumerate(lines, 1):
        try:
            offset_s = float(line)
        except ValueError:
            offset_s = math.nan
        if not 0 <= offset_s < math.inf:
            raise ScheduleError(f"{path}: line {number}: {line[:40]!r} is not a number of seconds of 0 or more")
        if offsets_s and offset_s <= offsets_s[-1]:
            raise ScheduleError(
                f"{path}: line {number}: {offset_s:g} is not above {offsets_s[-1]:g} of the line before"
            )
        offsets_s.append(offset_s)
    if len(offsets_s) < 2:
        raise ScheduleError(f"{path}: {len(offsets_s)} lines; give two or more")
    return tuple(offsets_s)
