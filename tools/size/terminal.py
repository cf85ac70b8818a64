"""The sizes in the terminal: the advice first, then the table, then what it rests on."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tools.knee import slo
from tools.scale.cells import LeftOut
from tools.size.need import Need
from tools.size.shapes import Shape
from tools.units import count, duration, share

UNKNOWN = "–"  # noqa: RUF001  (an en dash is how a table says "no value")
GRPCIO = "grpcio_"


def show(
    console: Console, need: Need, models: Sequence[str], found: Sequence[Shape], left_out: Sequence[LeftOut]
) -> None:
    """All in 80 columns. `models` are those that were asked for."""
    console.print()
    console.print(advice(need, found), style="bold", markup=False)
    console.print()
    console.print(_table(found))
    for one in left_out:
        console.print(f"{one.cell.model} with {count(one.cell.cpus)} CPUs: not measured: {one.why}.", markup=False)
    there = {*(one.model for one in found), *(one.cell.model for one in left_out)}
    for model in models:
        if model not in there:
            console.print(
                f"{model}: not measured: each of its searches failed, as the lines above state.", markup=False
            )
    starts = max((one.starts for one in found), default=0)
    console.print(
        f"\nMeasured: one pod at a time with all {count(need.connections)} connections, {starts} "
        f"start{'' if starts == 1 else 's'} each. Pods: the rate divided by what every start served, less "
        f"{share(need.spare)} to spare. That n pods serve n times as much is assumed: only a cluster can show it.",
        markup=False,
    )


def advice(need: Need, found: Sequence[Shape]) -> str:
    """As `Deploy coroutines as 2 pods of 1 CPU. With grpcio: grpcio_asyncio, 3 pods of 1 CPU. ...`.

    Models are named together where they need the same pods.
    """
    within = slo.written(need.objective)
    fits = [one for one in found if one.pods]
    if not fits:
        return f"No model meets {within}. The table has the reasons."
    best, grpcio = fits[0], next((one for one in fits if one.model.startswith(GRPCIO)), None)
    same = [one for one in fits if (one.pods, one.cpus) == (best.pods, best.cpus)]
    parts = [f"Deploy {' or '.join(one.model for one in same)} as {_pods(best)}."]
    if grpcio is not None and grpcio not in same:
        parts.append(f"With grpcio: {grpcio.model}, {_pods(grpcio)}.")
    parts.append(f"At {count(need.rate_rps)} calls/s within {within}, {share(need.spare)} are to spare.")
    return " ".join(parts)


def _pods(one: Shape) -> str:
    pods = f"{count(one.pods)} pod{'' if one.pods == 1 else 's'}"
    return f"{pods} of {count(one.cpus)} CPU{'' if one.cpus == 1 else 's'}"


def _table(found: Sequence[Shape]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("model", "pods", "serves, calls/s", "p99", "CPU/call", "bound by"):
        left = heading in ("model", "bound by")
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for one in found:
        table.add_row(
            one.model,
            f"{count(one.pods)} x {count(one.cpus)}" if one.pods else UNKNOWN,
            _serves(one),
            UNKNOWN if one.p99_ns is None else duration(one.p99_ns),
            UNKNOWN if one.cpu_ns is None else duration(one.cpu_ns),
            one.bound,
        )
    return table


def _serves(one: Shape) -> str:
    """Of the starts: the least and the most, three digits each."""
    if not one.highest_rps:
        return UNKNOWN
    low, high = (count(round(float(f"{rate:.3g}"))) for rate in (one.lowest_rps, one.highest_rps))
    return low if low == high else f"{low} to {high}"
