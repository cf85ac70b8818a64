"""`python -m services.workload.costs.function MODULE:FUNCTION`: what one call of a user's function costs, as JSON.

It prints for each call the CPU time of the thread and the time that passed, in nanoseconds. The difference is how long
the call waited. It also prints whether the function is async: such a function runs on an event loop, one call at a
time. A function that no service can call is one line on stderr and exit 1.
"""

import asyncio
import json
import sys
import time

from services.wire import RpcError
from services.workload import own

MOST_CALLS = 200
MOST_S = 2.0


async def costs(function: own.Own) -> dict[str, list[int]]:
    """Of up to MOST_CALLS calls within MOST_S. Raises RpcError for a result of a wrong type."""
    own.use(function)
    await own.awaited(1)  # the first call imports and connects; a service in use has done so
    cpu_ns: list[int] = []
    wall_ns: list[int] = []
    ends_s = time.monotonic() + MOST_S
    while not cpu_ns or (len(cpu_ns) < MOST_CALLS and time.monotonic() < ends_s):
        began_ns, began_cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        await own.awaited(1)
        cpu_ns.append(time.thread_time_ns() - began_cpu_ns)
        wall_ns.append(time.monotonic_ns() - began_ns)
    return {"cpu_ns": cpu_ns, "wall_ns": wall_ns}


def main(name: str) -> None:
    """Prints the costs. Exits with one line where there are none."""
    try:
        function = own.load(name)
        print(json.dumps({**asyncio.run(costs(function)), "is_async": function.is_async}))
    except own.BadFunctionError as error:
        sys.exit(str(error))
    except RpcError as error:
        sys.exit(error.message)
    except Exception as error:  # the function of a user can raise anything
        sys.exit(f"{name} raised {type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
