"""How each number of a grid's page is defined: what a reader may hold it to."""

from tools import usl
from tools.scale.metrics import USED_UP
from tools.units import share

DEFINITIONS: dict[str, str] = {
    "as (replicas x CPUs)": (
        "This many services of one model, each with its own CPU limit. In a cluster they are pods. On one machine they "
        "are processes in control groups with the kubelet's period of 100 ms, and the driver connects to them in turn."
    ),
    "serves": (
        "The interval from the highest requested rate that met the objective to the lowest that missed it twice. The "
        "search doubles the rate until one misses, then takes the geometric middle until both ends are close. Two "
        "intervals that overlap are a tie."
    ),
    "objective": (
        "A bound of the p99 latency in an open loop, and of the share of planned calls that ended OK. Latency counts "
        "from the intended send, so the wait of a call that was sent late is included."
    ),
    "p50, p99, CPU/call, memory, switches": (
        "Figures of the last trial at the highest rate that met the objective, for all replicas together. CPU time and "
        "switches are per call answered OK."
    ),
    "CPU used": (
        f"CPU time of all replicas, as a share of their limits. Less than {share(USED_UP)} at the rate that missed, "
        "without throttling, means that the limit did not bound it."
    ),
    "throttled": "Share of the quota's periods (100 ms) in which a replica used up its quota and was stopped.",
    "speed-up": "The middle of the interval, divided by the rate of one, derived from the point with the smallest N.",
    "sigma, kappa": (
        "Parameters of the Universal Scalability Law, N / (1 + sigma (N - 1) + kappa N (N - 1)): contention and "
        f"coherency. With {share(usl.CONFIDENCE)} confidence intervals. Not fitted to fewer than {usl.LEAST_SIZES} "
        "different N, nor if the points bend by no more than their noise."
    ),
}
