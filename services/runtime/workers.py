"""How many workers a model has, and how many calls wait for them: options that several models share.

Must not know which models have them.
"""

import math

from services.runtime.config import Config
from services.runtime.counters.quota import usable_cpus
from services.runtime.options import Option, Whole, choice
from services.runtime.queues.policy import POLICIES

MAX_PROCESSES = 1024

PROCESSES = Option("processes", 0, Whole(0, MAX_PROCESSES), "processes that serve; 0: as many as the CPU quota allows")
LOOPS = Option("loops", 1, Whole(1, 1024), "event loops of each process, one in each thread")
THREADS_PER_CPU = Option(
    "threads_per_cpu",
    16,
    Whole(1, 1024),
    "threads for each CPU that the quota allows, in a pool or in all processes together",
)
QUEUE_BOUND = Option(
    "queue_bound", 1000, Whole(1, 1_000_000), "calls that may wait for a worker; further calls are rejected"
)
POLICY = choice("policy", POLICIES, "which waiting call a thread of the pool takes next")


def processes(config: Config) -> int:
    """Processes that serve: `--processes`, or one for each CPU that the quota allows."""
    return config[PROCESSES] or math.ceil(usable_cpus())


def pool_threads(config: Config) -> int:
    """Threads of a pool, at least one."""
    return math.ceil(config[THREADS_PER_CPU] * usable_cpus())
