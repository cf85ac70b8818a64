"""The answer that an experiment gives, in words: the report's headline and the terminal's last line.

Must not know of tables, plots or files.
"""

from collections.abc import Iterable, Sequence, Set

from tools import measures, speedups
from tools.aa import self_ratio
from tools.busy_machine import is_busy
from tools.results import StoredTrials, Trial, TrialId
from tools.standings import PointStandings, Standing, compared, standings
from tools.stats.estimate import LEAST_STARTS
from tools.units import count, duration, share, three_digits
from tools.words import rounds


def answer(
    trials: Sequence[Trial],
    void: Sequence[tuple[TrialId, str]] = (),
    arms: speedups.ArmSettings = speedups.NO_ARMS,
    *,
    failed: Sequence[tuple[TrialId, str]] = (),
    again: Sequence[Trial] = (),
) -> str:
    """Which arm serves best at the last point with enough results, and which arms cannot be distinguished from it.

    `trials` are those of all rounds, `void` and `failed` have others and why they are not among them. Further sentences
    name the arms that have no result there, those that are not ranked, those that failed calls, and trials of a busy
    machine. `arms` are the experiment's: of those that differ only in their CPUs, the first sentence has the speed-up.
    If an arm that is compared with itself (`again`) seems to differ, this comes first.
    """
    points = standings(trials)
    at = compared(points)
    if at is None:
        if void:
            return f"No answer: every trial is void. The first one: {void[0][1]}."
        if failed:
            return f"No answer: every trial failed. The first one: {failed[0][1]}."
        return "Nothing has been measured yet, so there is no answer."
    headline = f"At {at.described} {_headline(at)}"
    names = {one.arm for each in points for one in each.standings} | {trial.arm for trial, _ in (*void, *failed)}
    further = (*_missing(at, names), *_unranked(at), *_failures(at), *_busy(at), *_void(void), *_failed(failed))
    return " ".join([*_bias(at, trials, again), *_updates(at), *speedups.sentences(at, arms), headline, *further])


def value(one: Standing, at: PointStandings) -> str:
    """What ranks an arm, with its interval where there is one: `4,210 [4,100, 4,320] calls/s`, `3 ms [2 ms, 4 ms]`."""
    if one.value is None:
        return ""
    if at.measure == "p99":
        ends = [one.value.low, one.value.high]
        interval = "" if None in ends else f" [{', '.join(duration(_two_digits(end)) for end in ends if end)}]"
        return f"{duration(_two_digits(one.value.value))}{interval}"
    interval = "" if one.value.low is None or one.value.high is None else _interval(one.value.low, one.value.high)
    return f"{_rate(one.value.value)}{interval} calls/s"


def _headline(at: PointStandings) -> str:
    ranked = at.ranked
    number = max(one.rounds for one in at.standings)
    basis = f" ({rounds(number)}{', provisional' if number < LEAST_STARTS else ''})"
    if not ranked:
        return "no arm can be ranked."
    best, *others = ranked
    rate = f"{count(at.point.rate_rps)} calls/s" if at.point.rate_rps else "schedule"
    if not others:
        of_p99 = f"the {rate} asked, with p99 {value(best, at)}"
        serves = of_p99 if at.measure == "p99" else f"{value(best, at)}{_p99(best)}"
        return f"{best.arm} serves {serves}; no other arm is ranked there{basis}."
    if at.measure == "p99":
        asked = f"{'both' if len(ranked) == 2 else f'all {len(ranked)}'} serve the {rate} asked; "
        if len(at.best) == len(ranked):
            return f"{asked}their p99 cannot be distinguished: {value(best, at)} to {value(ranked[-1], at)}{basis}."
        return f"{asked}{best.arm} has the lowest p99, {value(best, at)}{_tied(at)}; last is {_last(at)}{basis}."
    if len(at.best) == len(ranked):
        names = " and ".join(one.arm for one in ranked) if len(ranked) == 2 else f"the {len(ranked)} arms"
        return f"{names} cannot be distinguished: {value(best, at)} to {value(ranked[-1], at)}{basis}."
    return f"{best.arm} serves most: {value(best, at)}{_p99(best)}{_tied(at)}; last is {_last(at)}{basis}."


def _updates(at: PointStandings) -> list[str]:
    """Of plans with transfers: 0 is an answer too."""
    made = {one.arm: measures.updates(one.trial) for one in at.standings}
    lost = {one.arm: measures.lost_updates(one.trial) for one in at.standings if made[one.arm]}
    if not lost:
        return []
    parts = [f"at least {count(number)} of {count(made[arm])} by {arm}" for arm, number in lost.items() if number]
    if whole := [arm for arm, number in lost.items() if not number]:
        others = f"the {count(len(whole))} others" if parts else f"{count(len(whole))} arms"
        parts.append(f"0 of {count(sum(map(made.__getitem__, whole)))} by {whole[0] if len(whole) == 1 else others}")
    return [f"Lost updates of accounts: {'; '.join(parts)}."]


def _tied(at: PointStandings) -> str:
    tied = [one.arm for one in at.best if one.rank == "tied"]
    return f"; {_join(tied)} cannot be distinguished from it" if tied else ""


def _last(at: PointStandings) -> str:
    last = at.ranked[-1]
    return f"{last.arm} with {value(last, at)}"


def _p99(one: Standing) -> str:
    found = measures.latency(one.trial, "p99")
    return "" if found is None else f", with p99 {duration(_two_digits(found.ns), is_bound=found.is_bound)}"


def _missing(at: PointStandings, arms: Set[str]) -> list[str]:
    missing = sorted(arms - {one.arm for one in at.standings})
    return [f"No result there: {', '.join(missing)}."] if missing else []


def _unranked(at: PointStandings) -> list[str]:
    unranked = [f"{one.arm} ({one.why})" for one in at.standings if one.rank == "unranked"]
    return [f"Not ranked: {', '.join(unranked)}."] if unranked else []


def _failures(at: PointStandings) -> list[str]:
    failed = [
        f"{one.arm} {share(measures.failed_share(one.trial))}{' (busy machine)' if is_busy(one.trial) else ''}"
        for one in at.standings
        if measures.failures(one.trial)
    ]
    return [f"Calls failed: {', '.join(failed)}."] if failed else []


def _busy(at: PointStandings) -> list[str]:
    busy = sum(is_busy(one.trial) for one in at.standings)
    each = f"{count(busy)} of these {count(len(at.standings))} arms"
    return [f"Other processes took CPU from the service in {each}: repeat them on a quiet machine."] if busy else []


def _void(void: Sequence[tuple[TrialId, str]]) -> list[str]:
    return [f"{count(len(void))} trial{'s are' if len(void) > 1 else ' is'} void."] if void else []


def _failed(failed: Sequence[tuple[TrialId, str]]) -> list[str]:
    return [f"{count(len(failed))} trial{'s' if len(failed) > 1 else ''} failed."] if failed else []


def _bias(at: PointStandings, trials: Sequence[Trial], again: Sequence[Trial]) -> list[str]:
    itself = self_ratio(at, trials, again)
    if itself is None or not itself.excludes_1:
        return []
    return [f"Do not trust this run, because it shows a difference that does not exist: {itself}."]


def cannot_distinguish(at: PointStandings | None, trials: Sequence[Trial], again: Sequence[Trial]) -> str:
    """What the run cannot distinguish at the point of the answer, in one line; empty if no arm has a pair there."""
    itself = None if at is None else self_ratio(at, trials, again)
    return "" if itself is None else f"A/A: {itself}."


def excludes_1(found: StoredTrials) -> bool:
    """Whether an arm seems to differ from itself at the point of the answer."""
    at = compared(standings(found.trials))
    itself = None if at is None else self_ratio(at, found.trials, found.again)
    return itself is not None and itself.excludes_1


def _interval(low: float, high: float) -> str:
    return f" [{_rate(low)}, {_rate(high)}]"


def _rate(value: float) -> str:
    return count(round(value)) if value >= 10 else three_digits(value)


def _two_digits(number: float) -> float:
    """A headline claims no more precision than a percentile has."""
    return float(f"{number:.2g}")


def _join(words: Iterable[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
