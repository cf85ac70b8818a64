"""`sweetspot size`: how many pods of which model serve a rate within an objective."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tools.calibrate import calibration
from tools.commands.grid import run_grid
from tools.commands.grid_view import show_confirmed, show_sizes
from tools.commands.results_folder import prepare
from tools.commands.targets import check_flags, chosen, cluster
from tools.experiment import Experiment, Search
from tools.experiment.cpu_time import PYTHON
from tools.knee import slo
from tools.local import Programs
from tools.lock import locked
from tools.rounds import RoundCost, calibrated, drift, measure
from tools.scale.local import pinning_over
from tools.scale.results import read_cells
from tools.size import cost, price, size_question, split, trace_cost
from tools.size.answer import recommended
from tools.size.calibrating import measure_in
from tools.size.confirmation import confirmed
from tools.size.cost import Cost
from tools.size.grid import AWAITING, MODELS, asked, confirming
from tools.size.map_filter import worth_a_search
from tools.size.need import Need
from tools.size.shapes import PodShape, shapes
from tools.size.size_question import SizeQuestion
from tools.status import FAILED, INTERRUPTED, PlainError
from tools.target import Target, ThisMachine


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Status 1 where a search failed or a shape is not confirmed, 130 where a signal came. Raises PlainError."""
    args.resume, args.despite_noise = None, False  # a grid applies its own rule (tools/scale/void.py)
    check_flags(args)
    return _Sizing(args, console, programs).run()


@dataclass(frozen=True, slots=True)
class _Sizing:
    """One command."""

    args: argparse.Namespace
    console: Console
    programs: Programs

    def run(self) -> int:
        """The exit status."""
        args = self.args
        of_call, basis = _cost(args, self.programs)
        given = None if args.price is None else price.read(args.price)
        need = Need(of_call, args.connections, args.rate, slo.read(args.slo), args.spare, given, args.threads_per_cpu)
        folder = self._folder("size")
        target = self._target(folder)
        described = target.describe()
        models: Sequence[str] = _models(args.models, target, need.cost)
        if args.models is None and not args.cluster:
            models, of_map = worth_a_search(need, models, folder.parent, described)
            basis += of_map
        known = calibration.newest(folder.parent, described)
        rounds = None if need.cost.function else self._round(target, models[0], min(args.pod_cpus))
        if rounds is not None:
            basis += calibrated(of_call.cpu_ms, rounds)
        question = asked(
            need,
            _one if rounds is None else rounds.of,
            models,
            args.pod_cpus,
            starts=args.starts,
            highest_rps=known[1].ceiling_rps if known else Search().highest_rps,
        )
        target.check(question)
        self.console.print(question.title, markup=False, soft_wrap=True)
        sized = SizeQuestion(need, tuple(models), basis, None if args.cluster else split.measured(self.programs))
        with locked(folder):
            prepare(folder, question, target, described, known[1] if known else None)
            size_question.write(folder, sized)
            status = run_grid(question, folder, target, self.console, show_sizes(sized))
        if rounds is not None and not args.cluster:
            after = measure(self.programs)[PYTHON]
            self.console.print(f"Afterwards: {after}.{drift(rounds, after)}", markup=False)
        if status != INTERRUPTED and args.confirm:
            for shape in recommended(shapes(need, read_cells(folder).searched)):
                status = self._confirm(question, need, shape) or status
        return status

    def _confirm(self, question: Experiment, need: Need, shape: PodShape) -> int:
        """Runs a shape at its rate for a minute."""
        confirming_it = confirming(question, need, shape, pods=shape.pods if self.args.cluster else 1)
        folder = self._folder(f"confirm-{shape.model.replace('_', '-')}")
        target = self._target(folder)
        target.check(confirming_it)
        self.console.print(f"\n{confirming_it.title}", markup=False, soft_wrap=True)
        with locked(folder):
            prepare(folder, confirming_it, target, target.describe(), None)
            status = run_grid(confirming_it, folder, target, self.console, show_confirmed(shape))
        return status or (0 if confirmed(shape, read_cells(folder)).met else FAILED)

    def _folder(self, stem: str) -> Path:
        when = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        results = self.args.results or Path("results")
        if not self.args.cluster:
            return results / f"{stem}-{when}"
        from tools.cluster.run import run_name  # noqa: PLC0415  (kubernetes)

        return results / run_name(stem, when)

    def _target(self, folder: Path) -> Target:
        if self.args.cluster:
            return cluster(self.args, folder.name, self.programs, balance="per-connection")
        return ThisMachine(self.programs, pinning_over(os.sched_getaffinity(0)))

    def _round(self, target: Target, model: str, cpus: float) -> RoundCost:
        """Its cost where services run."""
        if not self.args.cluster:
            return measure(self.programs)[PYTHON]

        def notify(line: str) -> None:
            self.console.print(line, markup=False)

        notify("measuring a round of a compute step in a pod: about 1 minute")
        with target.deployer(Path(), notify) as deployer:
            return measure_in(deployer, model, cpus)


def _cost(args: argparse.Namespace, programs: Programs) -> tuple[Cost, str]:
    """The cost of a call, and where it comes from. Raises PlainError."""
    sources = {"--cpu-ms": args.cpu_ms, "--from-traces": args.from_traces, "--step": args.step}
    given = [flag for flag, value in sources.items() if value is not None]
    if not given:
        raise PlainError(f"the cost of a call is not given: set one of {', '.join(sources)}")
    if len(given) > 1:
        raise PlainError(f"{' and '.join(given)} exclude each other: set one of them")
    if args.wait_ms is not None and args.cpu_ms is None:
        raise PlainError(f"--wait-ms has no effect with {given[0]}, which has the wait of a call")
    if args.service is not None and args.from_traces is None:
        raise PlainError("--service has no effect without --from-traces")
    if args.step is not None and args.cluster:
        raise PlainError("--step and --cluster exclude each other: an image does not have your module")
    if args.from_traces is not None:
        found = trace_cost.read(args.from_traces, args.service)
        return found.cost, f"{args.from_traces}: {found}. "
    if args.step is not None:
        of_function = cost.of_function(args.step, programs)
        return of_function, f"{args.step}: {of_function.cpu_ms:.3g} ms of CPU and {of_function.wait_ms:.3g} ms of wait."
    return Cost(args.cpu_ms, args.wait_ms or 0.0), ""


def _one(_cpu_ms: float) -> int:
    """The rounds of a function: it is called once."""
    return 1


def _models(named: Sequence[str] | None, target: Target, of_call: Cost) -> list[str]:
    """Those that were named, else the usual ones that are there. Raises PlainError."""
    models = chosen(named, AWAITING if of_call.is_async else MODELS, target)
    if of_call.is_async and (blocking := [model for model in models if model not in AWAITING]):
        raise PlainError(
            f"--step {of_call.function} is async, and {blocking[0]} cannot await it: set --models to some of "
            f"{', '.join(AWAITING)}"
        )
    return models
