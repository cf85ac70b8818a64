"""Whether a handler's code depends on how events are dispatched: the lines that run, and the imports in the source.

The same calls are made of services that dispatch in different ways, and each line of the handler that runs is noted.
Must not know what a number should be.
"""

import ast
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from sweetspot.v1.workload_pb2 import Call, Compute, RunReply, RunRequest, Sleep, Touch

from tools.claims.counting.answers import plan
from tools.claims.counting.parts import clients
from tools.local import LocalError, Programs, started
from tools.serving import LocalSetup, listening, serving_backend

HANDLER = "services.workload.callbacks"
"""The application, as callbacks; what it does in a step is beside it in its folder."""
DISPATCHERS = ("services.runtime", "services.models")
STARTS = {
    "epoll": ("reactor",),
    "poll": ("reactor", "--demultiplexer", "poll"),
    "select": ("reactor", "--demultiplexer", "select"),
    "pool": ("callback_pool",),
}
"""Callbacks: one loop dispatches them in three ways, and one hands them to threads. The first is the reference."""
PLAN = plan(compute=Compute(rounds=10), call=Call(delay_us=1000), sleep=Sleep(duration_us=1000), touch=Touch())
"""Work and waits. It has no shared data, because the code that runs the calls manages conflicts."""
TIMEOUT_S = 30.0


def count(programs: Programs) -> dict[str, Any]:
    """How many lines run, how many differ, and how many imports know a dispatcher. Raises LocalError."""
    run: dict[str, set[int]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="sweetspot-") as folder,
        serving_backend(LocalSetup(Path(), programs, None, traced=False)) as backend,
    ):
        for name, start in STARTS.items():
            file = Path(folder) / f"{name}.json"
            _serve(programs, file, (*start, "--backend", backend.address))
            noted = json.loads(file.read_text(encoding="utf-8"))
            run[name] = set(noted["lines"])
    first = next(iter(STARTS))
    return {
        "lines": {name: len(lines) for name, lines in run.items()},
        "differing": {name: len(lines ^ run[first]) for name, lines in run.items() if name != first},
        "imports_of_dispatchers": imports(Path(noted["path"]).parent),
    }


def imports(folder: Path) -> int:
    """How many imports in the files of that folder are of a dispatcher."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = [
        f"{node.module}.{each.name}" for node in nodes if isinstance(node, ast.ImportFrom) for each in node.names
    ]
    modules += [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]
    return sum(f"{module}.".startswith(f"{each}.") for module in modules for each in DISPATCHERS)


def _serve(programs: Programs, file: Path, arguments: tuple[str, ...]) -> None:
    """One call, and one that streams; then the service ends and leaves the file."""
    module = programs.services[2:]  # behind the interpreter and -m
    command = [sys.executable, "-m", "tools.lines_run", HANDLER, str(file), *module, *arguments, "--port=0"]
    with started(arguments[0], command) as process:
        service = listening(process, TIMEOUT_S)
        with clients(service.address, 1) as (client,):
            path, of_request, to_reply = "/sweetspot.v1.Workload/Run", RunRequest.SerializeToString, RunReply.FromString
            client.unary_unary(path, of_request, to_reply)(PLAN, timeout=TIMEOUT_S)
            list(client.unary_stream(f"{path}Stream", of_request, to_reply)(PLAN, timeout=TIMEOUT_S))
        process.ask_to_end()
        if not process.has_ended(TIMEOUT_S):
            raise LocalError(f"{process.name} did not end within {TIMEOUT_S:.0f} s")
