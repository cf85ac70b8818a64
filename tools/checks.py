"""What makes a trial void: its figures are not those of the arm and the load that it names, and are never shown.

Each check returns its reason in one line. Some checks compare a trial with those of the other arms of its block. Must
not know how a trial was made, nor what happens to a void one.
"""

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from tools import busy_machine, measures
from tools.results import Trial, TrialId
from tools.units import count, duration, share, three_digits

LATE_NS = 1_000_000
LATE_SHARE = 0.05
"""An open loop makes another load if it sends later than this share of the median latency and later than LATE_NS."""
START_SPREAD_NS = 50_000_000
"""Shards that begin further apart than this do not make the load that was asked for."""
TICK_NS = 10_000_000
"""The unit of /proc/stat (proc(5)). A slice may seem busier than it was by this much."""
CANARY_LIMIT = 1.3
"""The machine changed its speed if a fixed loop beside one arm takes so many times the CPU time as beside the others.

docs/measuring.md has the measurements behind this limit.
"""


@dataclass(frozen=True, slots=True)
class CheckedTrial:
    """A trial, and whether it is a result."""

    trial: Trial
    why: str
    """All reasons why it is void, in one line; empty if it is a result."""


def judged_by_block(
    trials: Sequence[Trial], *, despite_noise: bool = False, compares_clients: bool = False
) -> list[CheckedTrial]:
    """Judges trials of any points and rounds."""
    blocks: dict[tuple[str, int], list[Trial]] = {}
    for trial in trials:
        blocks.setdefault((trial.id.point, trial.id.round), []).append(trial)
    return [
        one
        for block in blocks.values()
        for one in judged(block, despite_noise=despite_noise, compares_clients=compares_clients)
    ]


def judged(
    block: Sequence[Trial], *, despite_noise: bool = False, compares_clients: bool = False
) -> list[CheckedTrial]:
    """Judges the trials of one point in one round: each by itself, then those that are left beside each other.

    The results among them, judged again, are all results. With `despite_noise`, effects of a noisy machine are in
    `waived` and do not make a trial void. `compares_clients`: as in `void`.
    """
    trials = list(block)
    if despite_noise:
        trials = [waived(trial, block, compares_clients=compares_clients) for trial in block]
    whys = {trial.id: void(trial, compares_clients=compares_clients) for trial in trials}
    while apart := _apart([trial for trial in trials if not whys[trial.id]]):
        whys |= apart
    return [CheckedTrial(trial, whys[trial.id]) for trial in trials]


def waived(
    trial: Trial, block: Sequence[Trial] = (), *, is_limited: bool = False, compares_clients: bool = False
) -> Trial:
    """The trial, for which effects of a noisy machine do not count any more. The flags are those of `void`."""
    others = [each for each in block if each.id != trial.id]
    noise = [*_noise(trial, is_limited=is_limited, compares_clients=compares_clients), *_canary(trial, others)]
    return replace(trial, waived="; ".join(noise))


def _apart(left: Sequence[Trial]) -> dict[TrialId, str]:
    """Why trials are void beside the others; empty if none is."""
    found = {}
    for trial in left:
        others = [each for each in left if each.id != trial.id]
        noise = () if trial.waived else _canary(trial, others)
        if why := "; ".join([*noise, *_other_work(trial, others)]):
            found[trial.id] = why
    return found


TrialCheck = Callable[[Trial], Iterator[str]]
"""Yields each reason in one line."""


def void(trial: Trial, *, is_limited: bool = False, compares_clients: bool = False) -> str:
    """All reasons why the trial is void, in one line; empty if it is a result. A waived reason is not among them.

    `is_limited`: the CPU quota is a part of what is measured, so the trial is not void if the quota stops the service.
    `compares_clients`: the client is what is measured, so the trial is not void if the client is at its limit.
    """
    noise = () if trial.waived else _noise(trial, is_limited=is_limited, compares_clients=compares_clients)
    return "; ".join(filter(None, [*noise, broken(trial)]))


def broken(trial: Trial) -> str:
    """The reasons that no quiet machine would remove: it is not the trial that was asked for."""
    return "; ".join(reason for check in _BROKEN for reason in check(trial))


def _noise(trial: Trial, *, is_limited: bool, compares_clients: bool) -> Iterator[str]:
    intended: Mapping[TrialCheck, bool] = {_throttled: is_limited, _driver_busy: compares_clients}
    checks = (check for check in _NOISE if not intended.get(check))
    return chain.from_iterable(check(trial) for check in checks)


def _driver_busy(trial: Trial) -> Iterator[str]:
    if measures.driver_busy(trial) > measures.DRIVER_BUSY_SHARE:
        cpus = three_digits(measures.driver_cpus(trial))
        client = "the driver" if trial.client == "driver" else trial.client
        yield f"{client} used {cpus} CPUs of its {count(trial.driver_cpus)}, so the figures may be its own"


def _sent_late(trial: Trial) -> Iterator[str]:
    late, latency = trial.result["lateness_ns"], trial.result["latency_ns"]
    # A driver with CPU time left sends late only if the service has no room for a call. The service causes that delay.
    taken = measures.driver_busy(trial) + measures.driver_waited_share(trial)
    if taken < measures.DRIVER_BUSY_SHARE / 2 or not latency["count"]:
        return
    if late["p99"] > max(LATE_NS, LATE_SHARE * latency["p50"]):
        yield f"the driver sent calls {duration(late['p99'])} late (p99)"


def _others(trial: Trial) -> Iterator[str]:
    if (
        trial.pods
    ):  # driver and backend may share the node, and count as others there: a warning (tools/busy_machine.py)
        return
    slices = len(trial.result.get("slices", ())) or 1
    unsure = slices * TICK_NS / max(trial.result["got"]["duration_s"] * 1e9, TICK_NS)
    if trial.others_share is not None and trial.others_share > busy_machine.BUSY_SHARE + unsure:
        yield f"other processes took {share(trial.others_share)} of the service's CPUs"


def _throttled(trial: Trial) -> Iterator[str]:
    if trial.pods:  # their limit is intended, and its effect is a notice
        return
    if throttled_ns := measures.throttled_ns(trial):
        yield f"the CPU quota throttled the service for {duration(throttled_ns)}"


def _counters_late(trial: Trial) -> Iterator[str]:
    if late_ns := measures.counters_late_ns(trial):
        yield f"the service's counters were read {duration(late_ns)} late"


def _shards_apart(trial: Trial) -> Iterator[str]:
    if (spread_ns := trial.result["got"]["start_spread_ns"]) > START_SPREAD_NS:
        yield (
            f"the shards of the driver started within {duration(spread_ns)}; at most "
            f"{duration(START_SPREAD_NS)} is allowed"
        )


def _conserved(trial: Trial) -> Iterator[str]:
    calls = trial.result["calls"]
    ended = sum(calls[end] for end in ("ok", "timed_out", "not_sent", "unfinished")) + sum(calls["by_status"].values())
    if calls["planned"] != ended:
        yield f"{count(calls['planned'])} calls were planned, but the result has {count(ended)}"
    if trial.result["latency_ns"]["count"] != calls["ok"]:
        counted = count(trial.result["latency_ns"]["count"])
        yield f"{count(calls['ok'])} calls were answered, but the histogram has {counted}"


def _unreadable(trial: Trial) -> Iterator[str]:
    if number := trial.result["checksums"].get("unreadable"):
        yield f"{count(number)} of the replies that were parsed are not a RunReply"


def _canary(trial: Trial, others: Sequence[Trial]) -> Iterator[str]:
    """Compares slice by slice: those of one block were close in time.

    With one block nothing is: the arms of a point are up to a minute apart, and rounds show what that does to a figure.
    """
    own_ns = trial.slices_canary_ns if len(trial.slices_canary_ns) > 1 else ()
    beside = [each.slices_canary_ns for each in others if len(each.slices_canary_ns) == len(own_ns)]
    usual_ns = [statistics.median(of_slice) for of_slice in zip(*beside, strict=True)]
    apart = max((max(own / usual, usual / own) for own, usual in zip(own_ns, usual_ns, strict=False)), default=1.0)
    if apart > CANARY_LIMIT:
        yield f"the CPU's speed differed by a factor of {three_digits(apart)} from that beside the other arms (canary)"


def _other_work(trial: Trial, others: Sequence[Trial]) -> Iterator[str]:
    """The replies to a plan have one checksum, which is that of most arms. None has it if there is no majority.

    A plan to which most arms reply with several checksums has no fixed reply: its function is the user's own.
    """
    for work, own in _checksums(trial).items():
        found = Counter([own, *(known[work] for each in others if work in (known := _checksums(each)))])
        (usual, most), arms = found.most_common(1)[0], found.total()
        agreed = most > arms / 2
        if len(found) > 1 and len(usual) == 1 and not (agreed and own == usual):
            those = f"{count(most)} of {count(arms)} arms" if agreed else "the other arms"
            yield f"the checksums of its replies differ from those of {those}, so it did other work"


def _checksums(trial: Trial) -> dict[str, frozenset[str]]:
    """Each plan, as text -> the checksums of its replies, where one was parsed. An arm may have calls of its own."""
    plan, kinds = trial.result["plan"], trial.result.get("kinds") or {"": trial.result}
    plans = plan.get("mix", {"": plan})
    found = {json.dumps(plans.get(name), sort_keys=True): frozenset(kind["checksums"]) for name, kind in kinds.items()}
    return {work: checksums for work, checksums in found.items() if checksums}


_NOISE: tuple[TrialCheck, ...] = (_driver_busy, _sent_late, _others, _throttled, _counters_late)
"""What a noisy machine, or one that is too small, does to a trial."""
_BROKEN: tuple[TrialCheck, ...] = (_shards_apart, _conserved, _unreadable)
"""Reasons why it is not the trial that was asked for."""
