"""The answer that an experiment gives, in words: the report's headline and the terminal's last line.

Must not know of tables, plots or files.
"""

from collections.abc import Iterable, Sequence

from tools import measures
from tools.busy import is_busy
from tools.results import Trial
from tools.units import count, duration, share, three_digits

AS_MANY = 0.01
"""Two models whose shares of served clients differ by no more than this serve as many clients."""

TIE = 0.05
"""Two models closer than this are not told apart: about what one trial differs from its repetition."""


def answer(trials: Sequence[Trial]) -> str:
    """One sentence on which model serves best at the most connections that all were measured at.

    A second one names the models that failed calls there, a third one says where the machine was busy.
    """
    at = compared_at(trials)
    if at is None:
        return "Nothing has been measured yet, so there is no answer."
    everything = ranking(trials, at)
    ranked = serving_as_many(everything)
    where = f"At {connections(at)}"
    if not measures.rate_rps(ranked[0]):
        said = f"{where} no model answered a call."
    elif len(ranked) == 1:
        alone = ranked[0]
        others = "was measured there" if len(everything) == 1 else "serves as many clients"
        said = f"{where} {alone.arm} serves {_rate(alone)}{_p99s([alone], [])}; no other model {others}."
    elif all(keeps_up(trial) for trial in ranked):
        said = f"{where} {_all(ranked)} serve the {count(_asked_rps(ranked[0]))} calls/s asked{_lowest_p99(ranked)}."
    else:
        said = f"{where} {_most(ranked)}"
    return " ".join([said, *_unserved(everything), *_failures(everything), *_busy(everything)])


def compared_at(trials: Iterable[Trial]) -> int | None:
    """The most connections that every model was measured at (else: that most were); None without a trial."""
    models: dict[int, set[str]] = {}
    for trial in trials:
        models.setdefault(trial.connections, set()).add(trial.arm)
    return max(models, key=lambda at: (len(models[at]), at), default=None)


def ranking(trials: Iterable[Trial], at: int) -> list[Trial]:
    """The trials at that many connections, by rank."""
    return by_rank(trial for trial in trials if trial.connections == at)


def by_rank(trials: Iterable[Trial]) -> list[Trial]:
    """Those that serve most clients first; of those that serve as many, those that serve most calls."""
    kept = list(trials)
    most = max(map(_served, kept), default=1.0)

    def rank(trial: Trial) -> tuple[float, float]:
        served = _served(trial)
        return (most if _as_many(served, most) else served), measures.rate_rps(trial)

    return sorted(kept, key=rank, reverse=True)


def leaders(ranked: Sequence[Trial]) -> list[Trial]:
    """The best of a ranking and all that tie with it; none where no call was answered."""
    equals = serving_as_many(ranked)
    best = measures.rate_rps(equals[0]) if equals else 0.0
    return [trial for trial in equals if best and measures.rate_rps(trial) >= best * (1 - TIE)]


def serving_as_many(ranked: Sequence[Trial]) -> list[Trial]:
    """Those of a ranking that serve as many clients as the one that serves most."""
    most = max(map(_served, ranked), default=1.0)
    return [trial for trial in ranked if _as_many(_served(trial), most)]


def keeps_up(trial: Trial) -> bool:
    """Whether the service answered the calls that an open loop asked, but for what counts as a tie."""
    return trial.result["asked"]["loop"] == "open" and measures.rate_rps(trial) >= _asked_rps(trial) * (1 - TIE)


def connections(number: int) -> str:
    """`1 connection`, `1,000 connections`."""
    return f"{count(number)} connection{'' if number == 1 else 's'}"


def clients(served: tuple[int, int]) -> str:
    """`1 of 100`, for clients served of those that had a call to send."""
    return f"{count(served[0])} of {count(served[1])}"


def unanswered(trial: Trial) -> str:
    """How the calls ended in a trial without one answer in its time; empty where there is an answer."""
    if measures.rate_rps(trial):
        return ""
    calls = trial.result["calls"]
    ends = {**measures.failures(trial), "unfinished": calls["unfinished"], "answered too late": calls["ok"]}
    told = [", ".join(f"{count(number)} {end}" for end, number in ends.items() if number)]
    told += [f"first {status}: {message}" for status, message in calls.get("first_messages", {}).items()]
    return f"no call was answered OK while measuring: {'; '.join(filter(None, told)) or 'none was sent'}"


def _most(ranked: Sequence[Trial]) -> str:
    best, last, tied = ranked[0], ranked[-1], leaders(ranked)
    rates = [count(round(measures.rate_rps(trial))) for trial in ranked]
    if len(tied) == len(ranked):
        return f"{_all(ranked)} tie: {rates[-1]} to {rates[0]} calls/s (within {share(TIE)}){_lowest_p99(ranked)}."
    if len(tied) > 1:
        return (
            f"{_join(trial.arm for trial in tied)} tie as the best: {_join(rates[: len(tied)])} calls/s "
            f"(within {share(TIE)}), {_times(best, last)} (last){_p99s(tied, [last])}."
        )
    second = ranked[1]
    if second is last:
        return f"{best.arm} serves most: {_rate(best)}, {_times(best, last)}{_p99s([best], [last])}."
    return (
        f"{best.arm} serves most: {_rate(best)}, {_times(best, second)} (next) and {_times(best, last)} (last)"
        f"{_p99s([best], [second, last])}."
    )


def _times(best: Trial, other: Trial) -> str:
    if not measures.rate_rps(other):
        return f"against none of {other.arm}"
    return f"{three_digits(_two_digits(measures.rate_rps(best) / measures.rate_rps(other)))}x {other.arm}"


def _p99s(best: Iterable[Trial], others: Iterable[Trial]) -> str:
    ours, theirs = ([text for trial in group if (text := _p99(trial))] for group in (best, others))
    if not ours:
        return " (too few calls for a p99)"
    return f", with p99 {_join(ours)}" + (f" against {_join(theirs)}" if theirs else "")


def _p99(trial: Trial) -> str | None:
    value = measures.latency(trial, "p99")
    return None if value is None else duration(_two_digits(value.ns), is_bound=value.is_bound)


def _lowest_p99(ranked: Iterable[Trial]) -> str:
    known = {
        trial.arm: value.ns
        for trial in ranked
        if (value := measures.latency(trial, "p99")) is not None and not value.is_bound
    }
    if len(known) < 2:
        return ""
    slowest = max(known, key=lambda model: known[model])
    low, high = (duration(_two_digits(value)) for value in (min(known.values()), known[slowest]))
    fastest = [model for model, value in known.items() if value <= min(known.values()) * (1 + TIE)]
    if len(fastest) == len(known):
        return f", and tie in p99 ({low})"
    return f"; {_join(fastest)} with the lowest p99, {low} against {high} of {slowest}"


def _two_digits(number: float) -> float:
    """A headline claims no more precision than one trial has."""
    return float(f"{number:.2g}")


def _served(trial: Trial) -> float:
    share_of_clients = measures.served_share(trial)
    return 1.0 if share_of_clients is None else share_of_clients


def _as_many(served: float, most: float) -> bool:
    return served >= most - AS_MANY


def _unserved(ranked: Iterable[Trial]) -> list[str]:
    some = [
        f"{trial.arm} served {clients(served)} clients"
        for trial in ranked
        if (served := measures.clients_served(trial)) and served[0] < served[1]
    ]
    return [f"Not every client was served: {', '.join(some)}."] if some else []


def _failures(ranked: Iterable[Trial]) -> list[str]:
    failed = [
        f"{trial.arm} {share(measures.failed_share(trial))}{' (busy machine)' if is_busy(trial) else ''}"
        for trial in ranked
        if measures.failures(trial)
    ]
    return [f"Calls failed: {', '.join(failed)}."] if failed else []


def _busy(ranked: Sequence[Trial]) -> list[str]:
    busy = sum(map(is_busy, ranked))
    each = f"{count(busy)} of these {count(len(ranked))} trials"
    return [f"Other processes took CPU from the service in {each}: repeat them on a quiet machine."] if busy else []


def _asked_rps(trial: Trial) -> float:
    return float(trial.result["asked"]["rate_rps"])


def _rate(trial: Trial) -> str:
    rate = f"{count(round(measures.rate_rps(trial)))} calls/s"
    return f"{rate} of {count(_asked_rps(trial))} asked" if trial.result["asked"]["loop"] == "open" else rate


def _all(ranked: Sequence[Trial]) -> str:
    return _join(trial.arm for trial in ranked) if len(ranked) == 2 else f"all {len(ranked)} models"


def _join(words: Iterable[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
