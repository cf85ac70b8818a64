"""What each style of a handler costs, from its code and from a run. `python -m services.workload.costs` prints JSON.

It is here because it reads and runs the styles themselves. The models are above them, and the tools do not import
services. `sweetspot styles` runs it as a process and prints its table. `source` reads the code, `edits` and `chain`
change it, `suspended` and `depth` run it. Nothing of it is part of a service.
"""

from types import ModuleType

from services.workload import callbacks, continuations, coroutine, linear, ripped

STYLES: dict[str, ModuleType] = {
    "linear": linear,
    "green": linear,
    "coroutine": coroutine,
    "continuations": continuations,
    "closures": callbacks,
    "ripped": ripped,
}
"""Each style, and where its handler is written: green threads run what threads run."""
