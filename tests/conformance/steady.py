"""`python -m tests.conformance.steady MODEL=HOST:PORT ...`: steady load on services, and what became of each call.

Prints `steady` once every service has answered, and at the end {MODEL: {STATUS: calls}} as one line of JSON. A client
of grpcio with nothing configured: it retries only what no service has seen (transparent retry, gRFC A6).
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence

import grpc
from sweetspot.v1 import workload_pb2

TIMEOUT_S = 20.0
ASKED = workload_pb2.RunRequest(
    steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=2000))], payload=b"steady"
).SerializeToString()


async def load(address: str, calls: int, rate_rps: float, begun: asyncio.Barrier) -> Counter[str]:
    """Sends calls at their times, whatever becomes of those before; the number of calls by status."""
    loop = asyncio.get_running_loop()
    ended: Counter[str] = Counter()

    async with grpc.aio.insecure_channel(address) as channel:
        run = channel.unary_unary("/sweetspot.v1.Workload/Run")

        async def call() -> None:
            try:
                await run(ASKED, timeout=TIMEOUT_S)
                ended["OK"] += 1
            except grpc.RpcError as error:
                ended[f"{error.code().name}: {error.details()}"] += 1

        await run(ASKED, timeout=TIMEOUT_S, wait_for_ready=True)
        await begun.wait()
        start_s = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(calls):
                await asyncio.sleep(start_s + number / rate_rps - loop.time())
                tasks.create_task(call())
    return ended


async def load_all(services: dict[str, str], calls: int, rate_rps: float) -> dict[str, Counter[str]]:
    """All services at once."""
    begun = asyncio.Barrier(len(services) + 1)
    async with asyncio.TaskGroup() as tasks:
        loads = {model: tasks.create_task(load(address, calls, rate_rps, begun)) for model, address in services.items()}
        await begun.wait()
        print("steady", flush=True)
    return {model: task.result() for model, task in loads.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the load. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.conformance.steady")
    parser.add_argument("services", nargs="+", metavar="MODEL=HOST:PORT")
    parser.add_argument("--calls", type=int, default=10_000, help="on each service (10,000)")
    parser.add_argument("--rate", type=float, default=100.0, help="calls a second on each service (100)")
    args = parser.parse_args(arguments)
    services = dict(service.split("=", 1) for service in args.services)
    print(json.dumps(asyncio.run(load_all(services, args.calls, args.rate))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
