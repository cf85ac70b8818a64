"""How each number of a grid's page is defined: what a reader may hold it to."""

from tools import usl
from tools.scale.numbers import USED_UP
from tools.units import share

DEFINITIONS: dict[str, str] = {
    "as (replicas x CPUs)": (
        "So many services of one model, each with its own CPU limit. On one machine: processes, to which the driver "
        "deals its connections in turn, in control groups with the kubelet's period of 100 ms. In a cluster: pods."
    ),
    "serves": (
        "Between the highest rate asked that met the objective and the lowest that missed it, twice. The search "
        "doubles until a rate misses and then takes the geometric middle until both are close; that is the interval, "
        "and two intervals that overlap are a tie."
    ),
    "objective": (
        "On p99 latency, from the intended send, in an open loop: a call that was sent late has been waiting all the "
        "same. And on the share of planned calls that ended OK."
    ),
    "p50, p99, CPU/call, memory, switches": (
        "Of the last trial at the highest rate that met the objective; all replicas added up, of calls answered OK."
    ),
    "CPU used": (
        f"CPU time of all replicas, as a share of their limits. Less than {share(USED_UP)} at the rate that missed, "
        "without throttling, says that the limit was not what bounded it."
    ),
    "throttled": "Share of the quota's periods (100 ms) in which a replica ran out of its quota and stood still.",
    "speed-up": "The middle of the interval, divided by what one alone would serve by the point with the smallest N.",
    "sigma, kappa": (
        "Of the Universal Scalability Law, N / (1 + sigma (N - 1) + kappa N (N - 1)): contention, and the price of "
        f"coherency. With {share(usl.CONFIDENCE)} confidence intervals. Not fitted to fewer than {usl.LEAST_SIZES} "
        "different N, nor where the points do not bend by more than their noise."
    ),
}
