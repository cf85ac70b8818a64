"""Which family of concurrency models each model belongs to. Reports colour and group by it.

Must not import services: a report is also built where no service is installed.
"""

from collections.abc import Mapping

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
GRPCIO = "grpcio_"
"""What the names of grpcio's own servers begin with: they can be deployed as they are."""
OTHER = "other"
"""A model that this table does not have."""


def family(model: str) -> str:
    """The family of a row of MODELS."""
    return next((name for name, models in FAMILIES.items() if model in models), OTHER)


def grouped(families: Mapping[str, str]) -> dict[str, list[str]]:
    """Turns arm -> family into family -> arms, in the order of FAMILIES."""
    groups = {name: [arm for arm, of in families.items() if of == name] for name in (*FAMILIES, OTHER)}
    return {name: arms for name, arms in groups.items() if arms}
