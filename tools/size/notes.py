"""What the sizes rest on, in lines: how often the objective was met, what lifts a bound, estimates, and the basis."""

from collections.abc import Sequence

from tools.scale.cells import OmittedCell
from tools.size.estimates import PodEstimate, checked
from tools.size.need import Need
from tools.size.shapes import PodShape, between, cpus_of
from tools.size.size_question import SizeQuestion
from tools.size.split import divided
from tools.units import count, share

LIFTS = {
    "threads": "a call holds a thread for all of its time; --threads-per-cpu gives a pod more of them",
    "quota": "it stops a pod that used less than its limit on average; choose --pod-cpus of at least 1",
    "interpreter lock": "one process has no use for more than 1 CPU; choose more pods of 1 CPU",
    "one call at a time": "the function blocks the event loop; choose a model with threads, or an async function",
    "queue_bound": "the queue of the service was full; --queue-bound of a service changes it",
}
"""A word of a bound -> what raises it. More pods raise every bound."""


def notes(
    stored: SizeQuestion,
    found: Sequence[PodShape],
    chosen: Sequence[PodShape],
    left_out: Sequence[OmittedCell],
    known: Sequence[PodEstimate],
) -> list[str]:
    """A line each. `chosen` are the shapes that are recommended."""
    need = stored.need
    lines = [_evidence(need, one) for one in chosen]
    lines += [f"{bound}: {lift}." for bound, lift in _lifts(found).items()]
    for cpus, why in dict.fromkeys((one.cell.cpus, one.why) for one in left_out):
        models = ", ".join(one.cell.model for one in left_out if (one.cell.cpus, one.why) == (cpus, why))
        lines.append(f"Not measured with {cpus_of(cpus)}: {models}: {why}.")
    if known:
        lines.append(
            "~ is an estimate from the largest limit that was measured. Above 1 CPU, one thread serves no more, and "
            "threads contend for the interpreter lock; those of gRPC's core need no lock. `--cluster` measures it."
        )
    lines += [f"~ of {one.model} follows the Universal Scalability Law: {one.law}." for one in known if one.law]
    for shape, estimate in checked(need, found):
        measured = between(shape.lowest_rps, shape.highest_rps)
        lines.append(
            f"{shape.model} with {cpus_of(shape.cpus)}: estimated ~{between(estimate.low_rps, estimate.high_rps)} "
            f"calls/s from the smaller limits, measured {measured}."
        )
    there = {*(one.model for one in found), *(one.cell.model for one in left_out)}
    lines += [f"{model}: not measured." for model in stored.models if model not in there]
    starts = max((one.starts for one in found), default=0)
    lines.append(
        f"Measured: one pod at a time with all {count(need.connections)} connections, {starts} "
        f"start{'' if starts == 1 else 's'} each. Pods: the rate divided by what the slowest start served, less "
        f"{share(need.spare)} in reserve. That n pods serve n times as much is assumed: only a cluster can show it."
    )
    of_model = {one.model: divided(need, one, stored.wire_ns) for one in reversed(found) if one.pods}
    lines += [f"CPU/call of {line}." for line in reversed(of_model.values()) if line]
    return [*lines, stored.basis]


def _evidence(need: Need, one: PodShape) -> str:
    """How many trials met the objective at the rate of a pod, with a 95 % interval of the share (Clopper-Pearson)."""
    from scipy.stats import binomtest  # noqa: PLC0415  (0.5 s)

    rps = need.rate_rps / one.pods
    met = sum(each.met for each in one.trials if each.rate_rps >= rps)
    # A miss above what every start served states nothing about the rate of a pod.
    of = met + sum(not each.met for each in one.trials if each.rate_rps <= one.lowest_rps)
    interval = binomtest(met, of).proportion_ci() if of else None
    held = f" ({share(float(interval.low))} to {share(float(interval.high))})" if interval else ""
    line = f"{one}: {met} of {of} trials met the objective at {count(round(rps))} calls/s for a pod, or above{held}."
    if one.pods == 1:
        return line
    fewer_rps = need.rate_rps / (one.pods - 1)
    return f"{line} With 1 pod fewer, each gets {share(fewer_rps / one.lowest_rps)} of what the slowest start served."


def _lifts(found: Sequence[PodShape]) -> dict[str, str]:
    """Bound -> what raises it, of those in the table."""
    return {one.bound: lift for one in found for word, lift in LIFTS.items() if word in one.bound and one.pods}
