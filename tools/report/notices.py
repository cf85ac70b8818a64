"""What a reader must know before believing a number: what failed, is missing, or bounds the measurement.

Reasons that make a trial void are not among it (tools/checks.py): such a trial is not shown, or has a notice of what
was waived. Must not know HTML. Each notice is one line, and none is left out because there are many.
"""

from collections.abc import Iterator

from tools import measures, traces
from tools.busy_machine import words
from tools.calibrate.calibration import described
from tools.report.folder import Contents
from tools.results import Trial
from tools.standings import LEAST_RATE_SHARE
from tools.units import count, duration, share
from tools.words import connections, unanswered, where


def notices(contents: Contents) -> list[str]:
    """In order of weight: what was not measured, then what failed, then what bounds the measurement."""
    return [
        *contents.problems,
        *_unmeasured(contents),
        *_clients(contents),
        *(f"{where(trial)}: {text}" for trial in contents.trials for text in _of(trial)),
        *_driver(contents),
    ]


def _unmeasured(contents: Contents) -> Iterator[str]:
    if number := len(contents.unmeasured):
        what = "trial has" if number == 1 else "trials have"
        yield f"{count(number)} {what} no result: the reasons are below, in What could not be measured."


def _clients(contents: Contents) -> Iterator[str]:
    for client in dict.fromkeys(trial.client for trial in contents.trials if trial.client != "driver"):
        arms = dict.fromkeys(trial.arm for trial in contents.trials if trial.client == client)
        yield (
            f"{client} made the load of {', '.join(arms)}. It does not report checksums, traces, or which of its "
            "connections were served."
        )


def _driver(contents: Contents) -> Iterator[str]:
    if contents.calibration is not None:
        yield f"According to the calibration, {described(contents.calibration)}."


def _of(trial: Trial) -> Iterator[str]:
    asked, got = trial.result["asked"], trial.result["got"]
    if trial.waived:
        yield f"shown although it is void: {trial.waived}."
    if busy := words(trial):
        yield f"{busy}. Repeat it on a quiet machine before you judge the model."
    failures = measures.failures(trial)
    if failures:
        reasons = ", ".join(f"{reason} {count(number)}" for reason, number in failures.items())
        planned = count(trial.result["calls"]["planned"])
        yield f"{share(measures.failed_share(trial))} of {planned} calls failed: {reasons}."
    if nothing := unanswered(trial):
        yield f"{nothing}."
    if clamped := trial.result["latency_ns"].get("clamped"):
        yield f"{count(clamped)} calls took longer than the histogram can hold: the histogram's maximum is too low."
    if got["connections"] < asked["connections"]:
        yield f"only {count(got['connections'])} of {connections(asked['connections'])} could be opened."
    if asked["rate_rps"] and measures.rate_rps(trial) < asked["rate_rps"] * LEAST_RATE_SHARE:
        yield f"{count(round(measures.rate_rps(trial)))} of {count(asked['rate_rps'])} calls/s requested."
    if lost := measures.lost_updates(trial):
        yield f"its transfers are not isolated from each other: at least {count(lost)} updates of accounts were lost."
    if throttled_ns := measures.throttled_ns(trial):
        yield f"the CPU quota throttled the service for {duration(throttled_ns)}."
    yield from _of_pods(trial)
    yield from _of_spans(trial)


def _of_spans(trial: Trial) -> Iterator[str]:
    known = {"driver": trial.result["spans"], **trial.spans}
    if not trial.spans:
        # On one machine the run does not wait for a service's last spans: this was lost until measuring ended.
        after = trial.after.spans
        known[trial.arm] = {"made": after.made, "dropped": after.dropped, "lost": dict(after.lost)}
    for process, spans in known.items():
        if spans and spans["dropped"]:
            whole = f"{count(spans['dropped'])} of {count(spans['made'])} spans of {process} were lost"
            yield f"{whole}: {traces.reasons(spans.get('lost', {}))}."


def _of_pods(trial: Trial) -> Iterator[str]:
    shares = measures.share_of_pods(trial)
    if len(shares) > 1 and max(shares.values()) == 1:
        balance = trial.result["asked"]["balance"]
        yield f"one of {len(shares)} pods answered every call (balance: {balance})."
    if moved := [pod["name"] for pod in trial.pods if pod["went"] or pod["ready_ns"] is not None]:
        yield f"pods started or ended ({', '.join(moved)}): the counters include only the pods that remained."
