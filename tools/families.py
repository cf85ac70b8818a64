"""Which family of concurrency models each model belongs to. Reports colour and group by it.

Must not import services: a report is also built where no service is installed.
"""

FAMILIES: dict[str, tuple[str, ...]] = {
    "threads": ("thread_per_connection", "thread_per_request", "thread_pool"),
    "processes": ("process_per_connection", "process_pool"),
    "loops": ("reactor", "proactor", "coroutines", "green_threads"),
    # An event loop, and several threads or processes.
    "hybrids": ("half_sync_half_async", "callback_pool", "multi_reactor", "partitioned", "seda"),
    # What others are compared with. Stevens measures every server against the iterative one (UNIX Network
    # Programming, 3rd edition, chapter 30).
    "baselines": ("iterative", "grpcio_threads", "grpcio_asyncio"),
}
OTHER = "other"
"""A model that this table does not have."""


def family(arm: str) -> str:
    """The family of an arm, which its label names by a model and options, as `thread_pool threads_per_cpu=8`."""
    model = arm.partition(" ")[0]
    return next((name for name, models in FAMILIES.items() if model in models), OTHER)
