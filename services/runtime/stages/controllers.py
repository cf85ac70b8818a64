"""What sets a stage's settings from what is measured, where it is asked to. No clock, no queue, no thread.

Source: Welsh and Culler, Adaptive Overload Control for Busy Internet Servers, USITS 2003 (admission), and
Welsh, Culler, Brewer: SEDA, SOSP 2001 (workers, batches). The form is theirs; the constants are for calls that take
milliseconds, where theirs took seconds.
"""

from collections.abc import Sequence

from services.runtime.counters.stage_rows import StageRow

CONTROL_NS = 50_000_000
"""How often stages are looked at."""

SAMPLES = 100
"""Calls after which admission looks, or else when a period is over."""
PERIOD_NS = 500_000_000
_SMOOTHING = 0.7
"""Weight of what was before in the smoothed 90th percentile."""
_TOO_LOW = -0.5
"""Relative error below which the rate is raised; above 0 it is lowered."""
_SLOWER = 1.2
_FASTER_PER_S = 20.0
_FELL_OFF = 0.5
"""Of the best rate of serving: below, it is the load that has changed."""
_AS_GOOD = 0.95


class Admission:
    """The rate at which calls are let in, so that nine of ten are answered within a target: AIMD.

    Lowered by a factor while they are not, raised by steps while they take less than half of it.
    """

    def __init__(self) -> None:
        self._rate_per_s = 0.0
        self._p90_ns = 0.0

    def next_rate_per_s(self, took_ns: Sequence[int], target_ns: int, period_ns: int) -> int:
        """1 or more. `took_ns` is of the calls answered in the last period. If it is empty, their p90 counts as 0."""
        p90_ns = sorted(took_ns)[len(took_ns) * 9 // 10] if took_ns else 0
        served_per_s = len(took_ns) * 1e9 / period_ns
        if not self._rate_per_s:  # begins where it finds the service
            self._rate_per_s, self._p90_ns = served_per_s, p90_ns
        self._p90_ns = _SMOOTHING * self._p90_ns + (1 - _SMOOTHING) * p90_ns
        error = (self._p90_ns - target_ns) / target_ns
        if error > 0:
            self._rate_per_s /= _SLOWER
        elif error < _TOO_LOW:
            self._rate_per_s -= error * _FASTER_PER_S
        self._rate_per_s = min(max(self._rate_per_s, 1.0), 1_000_000.0)
        return round(self._rate_per_s)


def next_workers(workers: int, most: int, waiting: int, idle: int) -> int:
    """One more where more wait than there are workers, one less where some have nothing to do; `most` at most."""
    if workers > most:
        return most
    if waiting > workers and workers < most:
        return workers + 1
    if idle and not waiting and workers > 1:
        return workers - 1
    return workers


class Batching:
    """The batch of a stage: as small as it can be without the stage serving less, since what is in one waits for it.

    Made smaller by steps until the rate at which the stage serves, smoothed, falls behind the best there was; then a
    step larger. Where the load falls off it starts anew from the largest.
    """

    def __init__(self) -> None:
        self._rate_per_s = 0.0
        self._best_per_s = 0.0
        self._looked_ns = 0
        self._served = 0

    def look(self, row: StageRow, now_ns: int) -> None:
        """Sets the row's `batch` once a period, while `most_batch` asks for it."""
        if not row.settings.most_batch:
            self._looked_ns = 0
        elif not self._looked_ns:
            self._looked_ns, self._served, self._best_per_s = now_ns, row.served.own(), 0.0
            row.settings.set("batch", row.settings.most_batch)
        elif now_ns - self._looked_ns >= PERIOD_NS:
            served = row.served.own()
            rate_per_s = (served - self._served) * 1e9 / (now_ns - self._looked_ns)
            row.settings.set("batch", self.next_batch(row.settings.batch, row.settings.most_batch, rate_per_s))
            self._looked_ns, self._served = now_ns, served

    def next_batch(self, batch: int, most: int, served_per_s: float) -> int:
        """1 to `most`, from what the stage has served with `batch`."""
        fell_off = served_per_s < _FELL_OFF * self._best_per_s
        if fell_off or not self._best_per_s:
            self._rate_per_s = self._best_per_s = served_per_s
            return most
        self._rate_per_s = _SMOOTHING * self._rate_per_s + (1 - _SMOOTHING) * served_per_s
        # With the largest batch it serves what it can: then that is the best, whatever was before.
        self._best_per_s = max(0.0 if batch >= most else self._best_per_s, self._rate_per_s)
        step = max(1, batch // 8)
        suffers = self._rate_per_s < _AS_GOOD * self._best_per_s
        return min(batch + step, most) if suffers else min(max(batch - step, 1), most)
