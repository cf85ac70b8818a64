"""How calls were spread over a service's pods, and how long new pods waited for their first. Must not know HTML."""

from dataclasses import dataclass

from tools import measures
from tools.report.folder import Contents
from tools.results import Trial
from tools.units import duration, share, three_digits
from tools.words import where


@dataclass(frozen=True, slots=True)
class Spread:
    """One trial with several pods."""

    trial: str
    balance: str
    variation: str
    """Coefficient of variation of the shares."""
    pods: tuple[tuple[str, str, str, str], ...]
    """Name, node, share of the calls answered, and how long it waited for its first where it came late."""


def spreads(contents: Contents) -> list[Spread]:
    """Of the trials that had more than one pod, in their order."""
    return [_spread(trial) for trial in contents.trials if len(measures.share_of_pods(trial)) > 1]


def _spread(trial: Trial) -> Spread:
    nodes = {pod["name"]: pod["node"] for pod in trial.pods}
    waits = measures.first_call_waits_ns(trial)
    return Spread(
        trial=where(trial),
        balance=trial.result["asked"]["balance"],
        variation=three_digits(measures.share_variation(trial) or 0.0),
        pods=tuple(
            (host, nodes.get(host, ""), share(part), _waited(waits, host))
            for host, part in sorted(measures.share_of_pods(trial).items())
        ),
    )


def _waited(waits: dict[str, int | None], host: str) -> str:
    if host not in waits:
        return ""
    wait_ns = waits[host]
    return "got none" if wait_ns is None else duration(wait_ns)
