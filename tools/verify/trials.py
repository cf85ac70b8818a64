"""Whether a trial is the one that its file's name and the experiment describe."""

from collections.abc import Iterator

from tools.experiment import Experiment
from tools.results import Trial
from tools.trial_specs import spec_of
from tools.verify.sums import differs


def wrong(trial: Trial, asked: Experiment) -> Iterator[str]:
    """A line for each value that differs."""
    result = trial.result
    if trial.counted is not None:
        yield from differs("counted", trial.counted, "got.counted", result["got"].get("counted"))
    yield from differs("connections", trial.connections, "asked.connections", result["asked"]["connections"])
    try:
        wanted = spec_of(asked, trial.id)
    except ValueError:
        yield "the experiment has no such trial"
        return
    point = wanted.point
    yield from differs("model", trial.model, "the experiment", wanted.arm.served_by)
    yield from differs("client", trial.client, "the experiment", asked.client_of(wanted.arm))
    yield from differs("asked.connections", result["asked"]["connections"], "the experiment", point.connections)
    yield from differs("asked.streams", result["asked"]["streams"], "the experiment", point.streams)
    if point.rate_rps is not None:
        yield from differs("asked.rate_rps", result["asked"]["rate_rps"], "the experiment", point.rate_rps)
    if point.rate_of_capacity is not None and trial.capacity_rps is not None:
        rate_rps = point.rate_of_capacity * trial.capacity_rps
        of = "rate_of_capacity x capacity_rps"
        yield from differs("asked.rate_rps", result["asked"]["rate_rps"], of, rate_rps)
