"""CPU times of an experiment (`cpu_us`) as rounds of this machine, measured when the run begins."""

from rich.console import Console

from tools import rounds
from tools.experiment import Experiment, cpu_time
from tools.local import Programs

NATIVE = "ENGINE_NATIVE"


def in_rounds(asked: Experiment, console: Console, programs: Programs) -> Experiment:
    """The same experiment where it has no CPU time; else with rounds, and a line for each engine with what one costs.

    Raises PlainError for a time that is too long, LocalError where a round cannot be measured.
    """
    if not cpu_time.is_asked(asked):
        return asked
    here = rounds.measure(programs)
    for engine, cost in here.items():
        console.print(f"{engine}: {cost}", markup=False, soft_wrap=True)
    return cpu_time.in_rounds(asked, lambda engine, cpu_us: here[_known(engine)].of(cpu_us / 1000))


def _known(engine: str) -> str:
    return NATIVE if engine == NATIVE else cpu_time.PYTHON
