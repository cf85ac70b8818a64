"""What a run of claims has measured and counted, as the values of operands. Must not know what a value decides."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools import bundle, measures
from tools.claims.claim import Operand
from tools.claims.measures import MEASURES
from tools.claims.reading import matches
from tools.claims.sample import SampleReading
from tools.measures import Latency
from tools.results import BadResultsError, StoredTrials, Trial, read_json, read_trials, write_whole


class TrialEvidence:
    """The trials of an experiment.

    On a noisy machine, only figures that depend on its speed are void. With `despite_noise`, they are not void either.
    """

    def __init__(self, found: StoredTrials, *, despite_noise: bool = False) -> None:
        self.found = found
        self._despite_noise = despite_noise
        made = [trial.id for trial in found.trials] + [each for each, _ in found.without_result]
        self.rounds = max((each.round for each in made), default=0)

    def reading(self, operand: Operand, number: int) -> SampleReading | None:
        """As SampleSource has it."""
        trials = self._trials(operand, number)
        return self._reading(operand, trials[0]) if trials else None

    def along(self, operand: Operand, number: int) -> Sequence[tuple[float, SampleReading]] | None:
        """As SampleSource has it."""
        places = {trial.load[operand.over] for trial in self.found.trials if matches(operand.at, trial.load)}
        found = {trial.load[operand.over]: self._reading(operand, trial) for trial in self._trials(operand, number)}
        known = [(place, found.get(place)) for place in sorted(places)]
        if len(known) < 2 or any(reading is None for _, reading in known):
            return None
        return [(place, reading) for place, reading in known if reading is not None]

    def void(self, arms: Sequence[str]) -> str:
        """Why trials of those arms are void, each reason once."""
        void = [why.removeprefix("void: ") for trial, why in self.found.without_result if trial.arm in arms]
        noisy = [] if self._despite_noise else [trial.waived for trial in self.found.trials if trial.arm in arms]
        return "; ".join(dict.fromkeys(filter(None, [*void, *noisy])))

    def _reading(self, operand: Operand, trial: Trial) -> SampleReading | None:
        if trial.waived and not self._despite_noise and MEASURES[operand.measure].speed == "rate":
            return None
        return _reading(operand, trial)

    def _trials(self, operand: Operand, number: int) -> list[Trial]:
        return [
            trial
            for trial in self.found.trials
            if trial.arm == operand.arm and trial.id.round == number and matches(operand.at, trial.load)
        ]


def _reading(operand: Operand, trial: Trial) -> SampleReading | None:
    if operand.of:
        of_kind = measures.kinds(trial).get(operand.of)
        if of_kind is None:
            return None
        trial = of_kind
    value = MEASURES[operand.measure].of(trial)
    if isinstance(value, Latency):
        return SampleReading(value.ns, int(value.is_bound))
    return None if value is None else SampleReading(float(value))


FAILED = "failed"
"""The key of the reason that a round without numbers has instead of them."""


class CountingEvidence:
    """The numbers of a counting, one mapping for each round."""

    def __init__(self, counted: Mapping[int, Mapping[str, Any]]) -> None:
        self.counted = counted
        self.rounds = max(counted, default=0)
        self.made = max((number for number, each in counted.items() if FAILED not in each), default=0)
        """The number of the last round that did not fail."""

    def reading(self, operand: Operand, number: int) -> SampleReading | None:
        """As SampleSource has it."""
        value: Any = self.counted.get(number)
        for key in (operand.measure or operand.arm).split("."):  # of cases, `measure` is the path
            value = value.get(key) if isinstance(value, Mapping) else None
        return SampleReading(float(value)) if isinstance(value, int | float) else None

    def along(self, _operand: Operand, _number: int) -> None:
        """A counting has no axes."""
        return

    def void(self, _arms: Sequence[str]) -> str:
        """Why it failed, each reason once."""
        return "; ".join(dict.fromkeys(str(each[FAILED]) for each in self.counted.values() if FAILED in each))


Evidence = TrialEvidence | CountingEvidence


def of_trials(folder: Path, *, despite_noise: bool) -> TrialEvidence:
    """The trials stored in the folder of an experiment, which may be missing. Raises BadResultsError."""
    return TrialEvidence(read_trials(folder) if folder.is_dir() else StoredTrials((), ()), despite_noise=despite_noise)


def of_counts(folder: Path, name: str) -> CountingEvidence:
    """The stored counts of that counting. Raises BadResultsError."""
    found = {}
    for path in folder.glob(f"{name}-*.json"):
        number = path.stem.removeprefix(f"{name}-")
        if not number.isdecimal():
            continue
        content = read_json(path)
        if not isinstance(content, dict):
            raise BadResultsError(f"{path}: not a mapping of counts")
        found[int(number)] = content
    return CountingEvidence(found)


def save_counts(folder: Path, name: str, number: int, counted: Mapping[str, Any]) -> None:
    """Stores the counts of a round and their hash: a counting has no raw data. Raises BadResultsError."""
    write_whole(folder / f"{name}-{number}.json", json.dumps(counted, indent=1) + "\n")
    bundle.close(folder, 0)


def save_failure(folder: Path, name: str, number: int, why: str) -> None:
    """Stores why that round has no numbers. Raises BadResultsError."""
    save_counts(folder, name, number, {FAILED: why})
