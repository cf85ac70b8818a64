"""Claims in YAML: read, and checked against the experiment or counting that they name.

Every error is one line that begins with the file and the key. Must not know how anything is measured.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from math import isfinite
from pathlib import Path

import msgspec
import yaml

from tools import experiment, strict_yaml
from tools.claims import counting
from tools.claims.claim import FORMS, STATISTICS, Claim, Operand, Statistic, Threshold
from tools.claims.measures import MEASURES
from tools.experiment import AXES, BadExperimentError, Experiment
from tools.status import PlainError

HERE = Path(__file__).parent
STATEMENTS = HERE / "statements"
EXPERIMENTS = HERE / "experiments"


class BadClaimError(PlainError):
    """A claim that is not valid; the message is one line for a person."""


class _WrongError(Exception):
    """Ends with ` - at `$.key``, as the messages of msgspec do."""


def claims(folder: Path | None = None, experiments: Path | None = None) -> dict[str, Claim]:
    """Id -> claim, in the order of the ids; by default those of the product. Raises BadClaimError."""
    folder, experiments = folder or STATEMENTS, experiments or EXPERIMENTS
    read = [_read(path, experiments) for path in sorted(folder.glob("*.yaml"))]
    return {claim.claim: claim for claim in sorted(read, key=lambda claim: claim.order)}


def unreadable() -> list[str]:
    """A line for each claim that cannot be read."""
    problems = []
    for path in sorted(STATEMENTS.glob("*.yaml")):
        try:
            _read(path, EXPERIMENTS)
        except BadClaimError as error:
            problems.append(str(error))
    return problems


def asked(name: str, experiments: Path | None = None) -> Experiment | None:
    """The experiment of that name; None for a counting. Raises BadExperimentError, or BadClaimError for neither."""
    experiments = experiments or EXPERIMENTS
    if name in counting.COUNTINGS:
        return None
    path = experiments / f"{name}.yaml"
    if not path.is_file():
        known = sorted([*counting.COUNTINGS, *(each.stem for each in experiments.glob("*.yaml"))])
        raise BadClaimError(f"no experiment and no counting {name!r}; the names are {', '.join(known)}")
    return _experiment(path)


@cache
def _experiment(path: Path) -> Experiment:
    return experiment.read(path)


def _read(path: Path, experiments: Path) -> Claim:
    try:
        claim = msgspec.convert(strict_yaml.load(path.read_text(encoding="utf-8")), Claim)
        _check(claim, path, experiments)
    except OSError as error:
        raise BadClaimError(f"{path}: {error.strerror}") from error
    except (strict_yaml.DuplicateKeyError, strict_yaml.BadValueError) as error:
        raise BadClaimError(f"{path}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadClaimError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except (msgspec.ValidationError, _WrongError) as error:
        what, found, place = str(error).rpartition(" - at `")
        where, what = (place.rstrip("`"), what) if found else ("$", place)
        raise BadClaimError(f"{path}: at {where}: {what}") from error
    return claim


def _check(claim: Claim, path: Path, experiments: Path) -> None:
    """Raises _WrongError."""
    if claim.claim != path.stem:
        # So no two files can have one id.
        raise _WrongError(f"{claim.claim} is not the name of its file - at `$.claim`")
    try:
        source = asked(claim.experiment, experiments)
    except (BadClaimError, BadExperimentError) as error:
        raise _WrongError(f"{error} - at `$.experiment`") from error
    for number, clause in enumerate(claim.clauses):
        key = f"$.and[{number - 1}]" if number else "$"
        _check_bound(clause.holds_if, f"{key}.holds_if")
        _check_statistic(clause.statistic, source, f"{key}.statistic")
    if source is not None and claim.needs.python is None:
        free = [arm for arm in claim.arms if source.arms[arm].python == "free_threaded"]
        if free:
            raise _WrongError(
                f"arm {free[0]} needs an interpreter without the interpreter lock: set python - at `$.needs`"
            )
    if claim.kind == "counted" and (source is not None or counting.COUNTINGS[claim.experiment].rounds):
        raise _WrongError(f"{claim.experiment} is measured in rounds: set kind to measured - at `$.kind`")


def _check_bound(bound: Threshold, key: str) -> None:
    given = [name for name in ("at_least", "at_most", "within") if getattr(bound, name) is not None]
    if len(given) != 1:
        raise _WrongError(f"exactly one of at_least, at_most and within is needed - at `{key}`")
    value = getattr(bound, given[0])
    if not all(map(isfinite, value if isinstance(value, tuple) else (value,))):
        raise _WrongError(f"a threshold must be a finite number - at `{key}.{given[0]}`")
    if bound.low > bound.high:
        raise _WrongError(f"the first number is above the second - at `{key}.within`")


def _check_statistic(statistic: Statistic, source: Experiment | None, key: str) -> None:
    if sum(getattr(statistic, name) is not None for name in STATISTICS) != 1:
        raise _WrongError(f"exactly one of value, ratio, difference and events is needed - at `{key}`")
    for operand in statistic.operands:
        _check_form(operand, key)
    if statistic.form == "events" and not all(each.per for each in statistic.leaves):
        raise _WrongError(f"events need `per`, which counts the cases - at `{key}`")
    for operand in statistic.leaves:
        if source is None:
            if not operand.arm:
                raise _WrongError(f"a counting needs the path of a number - at `{key}`")
        else:
            _check_operand(operand, source, key)


def _check_form(operand: Operand, key: str) -> None:
    if len(operand.forms) + bool(operand.arm) != 1:
        raise _WrongError(f"an operand is either an arm or one of {', '.join(FORMS)} - at `{key}`")
    for part in operand.parts:
        _check_form(part, key)


def _check_operand(operand: Operand, source: Experiment, key: str) -> None:
    for name in filter(None, (operand.measure or "(none)", operand.per)):
        if name not in MEASURES:
            raise _WrongError(f"unknown measure {name}; the measures are {', '.join(MEASURES)} - at `{key}.measure`")
    if operand.arm not in source.arms:
        raise _WrongError(
            f"the experiment has no arm {operand.arm}; its arms are {', '.join(source.arms)} - at `{key}`"
        )
    arm = source.arms[operand.arm]
    kinds: Mapping[str, object] = arm.mix or ({} if arm.plan else source.mix)
    if operand.of and operand.of not in kinds:
        raise _WrongError(f"arm {operand.arm} has no calls of kind {operand.of} - at `{key}.of`")
    for axis in filter(None, (*operand.at, operand.over)):
        if axis not in AXES:
            raise _WrongError(f"unknown axis {axis}; the axes are {', '.join(AXES)} - at `{key}`")
    points = [point for point in source.points if matches(operand.at, point.values)]
    if operand.over:
        places = {point.values.get(operand.over) for point in points}
        if not 2 <= len(places) == len(points):
            raise _WrongError(f"`at` must leave one point for each value of {operand.over} - at `{key}`")
    elif len(points) != 1:
        raise _WrongError(f"`at` leaves {len(points)} of {len(source.points)} points, not 1 - at `{key}.at`")


def matches(at: Mapping[str, float], values: Mapping[str, float]) -> bool:
    """Whether a point has those values on those axes."""
    return all(values.get(axis) == value for axis, value in at.items())


def of_experiment(every: Mapping[str, Claim]) -> Iterator[tuple[str, list[Claim]]]:
    """Each experiment with its claims, the shortest round first."""
    names = dict.fromkeys(claim.experiment for claim in every.values())
    grouped = {name: [claim for claim in every.values() if claim.experiment == name] for name in names}
    yield from sorted(grouped.items(), key=lambda item: max(claim.cost_s for claim in item[1]))
