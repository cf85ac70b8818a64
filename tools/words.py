"""Phrases that terminal, page and answer share. Needs no library of statistics."""

from tools import measures
from tools.results import Trial
from tools.units import count


def connections(number: int) -> str:
    """`1 connection`, `1,000 connections`."""
    return f"{count(number)} connection{'' if number == 1 else 's'}"


def where(trial: Trial) -> str:
    """`reactor at 100 connections, 400 calls/s`."""
    return f"{trial.arm} at {trial.point.described}"


def clients(served: tuple[int, int]) -> str:
    """`1 of 100`, for clients served of those that had a call to send."""
    return f"{count(served[0])} of {count(served[1])}"


def unanswered(trial: Trial) -> str:
    """How the calls ended in a trial without one answer in its time; empty where there is an answer."""
    if measures.rate_rps(trial):
        return ""
    calls = trial.result["calls"]
    ends = {**measures.failures(trial), "unfinished": calls["unfinished"], "answered too late": calls["ok"]}
    parts = [", ".join(f"{count(number)} {end}" for end, number in ends.items() if number)]
    parts += [f"first {status}: {message}" for status, message in calls.get("first_messages", {}).items()]
    return f"no call was answered OK while measuring: {'; '.join(filter(None, parts)) or 'none was sent'}"


def rounds(number: int) -> str:
    """`1 round`, `3 rounds`."""
    return f"{count(number)} round{'' if number == 1 else 's'}"
