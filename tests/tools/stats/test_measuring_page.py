"""The tables of docs/measuring.md are what the simulation gives: a test that fails prints the rows that it expects."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tests.tools.stats import noise
from tests.tools.stats.noise import Floats
from tools.stats.estimate import LEAST_STARTS
from tools.stats.looks import CONFIDENCE, LOOKS
from tools.stats.nested_mean import Moments, moments, pooled_moments

Starts = NDArray[np.int_]

PAGE = Path(__file__).parents[3] / "docs" / "measuring.md"
RUNS = 3000
PAIRS = LOOKS[-1]

CONDITIONS: list[tuple[noise.Noise, float]] = [
    (noise.normal, 0),
    (noise.heavy_tails, 0),
    (noise.spikes, 0),
    (noise.drift, 0),
    (noise.normal, 0.3),
    (noise.normal, 1),
]
"""The noise of a block, and the standard deviation between starts in units of that of a block."""

DESIGNS = {
    "1 start": np.zeros(PAIRS, dtype=int),
    "3 starts": np.arange(PAIRS) % 3,
    "4 pairs a start": np.arange(PAIRS) // 4,
    "8 pairs a start": np.arange(PAIRS) // 8,
}
"""The start of each pair, in the order in which they are measured."""


def expect(rows: list[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(row in page for row in rows), "\n".join([f"{PAGE.name} lacks:", *rows])


def row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def reach(found: Moments, confidence: float) -> Floats:
    return np.asarray(special.stdtrit(found.freedom, (1 + confidence) / 2) * np.sqrt(found.variance))


@cache
def blocks(shape: noise.Noise) -> Floats:
    return shape(np.random.default_rng(11), (RUNS, PAIRS))


def measured(start_of: Starts, shape: noise.Noise, between_starts: float) -> Floats:
    """The log ratios of A/A runs, in the order in which they are measured."""
    starts = np.random.default_rng(12).normal(0, between_starts, (RUNS, start_of.max() + 1))
    return blocks(shape) + starts[:, start_of]


def look(logs: Floats, start_of: Starts, pairs: int) -> Moments:
    """The estimates from the first `pairs` pairs of each run."""
    order = np.argsort(start_of[:pairs], kind="stable")
    return moments(logs[:, :pairs][:, order], np.bincount(start_of[:pairs]).tolist())


def test_how_often_an_interval_contains_the_true_ratio() -> None:
    expect(
        [
            row(
                name,
                [
                    percent(float(np.mean(np.abs(found.mean) <= reach(found, 0.95))))
                    for shape, between_starts in CONDITIONS
                    for found in [look(measured(start_of, shape, between_starts), start_of, 64)]
                ],
            )
            for name, start_of in DESIGNS.items()
        ]
    )


def test_how_often_the_looks_call_equal_arms_different() -> None:
    def different(start_of: Starts, shape: noise.Noise, between_starts: float) -> float:
        logs = measured(start_of, shape, between_starts)
        return float(np.mean(np.any([clear for _, clear in at_looks(logs, start_of)], axis=0)))

    expect(
        [
            row(name, [percent(different(start_of, *condition)) for condition in CONDITIONS])
            for name, start_of in DESIGNS.items()
        ]
    )


def at_looks(logs: Floats, start_of: Starts) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """The pairs of each look that may decide, and which runs it decides. One start alone is shown as if it might."""
    for pairs in LOOKS:
        if start_of[:pairs].max() + 1 >= LEAST_STARTS or start_of.max() == 0:
            found = look(logs, start_of, pairs)
            yield pairs, np.abs(found.mean) > reach(found, CONFIDENCE)


def test_which_differences_are_found() -> None:
    start_of = DESIGNS["8 pairs a start"]
    logs = measured(start_of, noise.normal, 0.2)

    def found(difference: float, noise_of_a_block: float) -> str:
        stopped = np.full(RUNS, np.inf)
        for pairs, clear in at_looks(logs + np.log1p(difference) / noise_of_a_block, start_of):
            stopped[clear & np.isinf(stopped)] = pairs
        within = np.isfinite(stopped)
        return f"{within.mean():.0%}, {np.median(np.minimum(stopped, PAIRS)):.0f} pairs".replace("%", " %")

    expect(
        [
            row(f"{difference:.0%}".replace("%", " %"), [found(difference, sd) for sd in (0.02, 0.05, 0.1, 0.13, 0.25)])
            for difference in (0.02, 0.05, 0.1, 0.2)
        ]
    )


def told_apart(scales: Sequence[float], sizes: list[int], between_starts: float, runs: int) -> float:
    """How often any two of equal arms, each with its noise, differ at 5 % over all pairs."""
    dice, arms = np.random.default_rng(5), len(scales)
    pairs = list(combinations(range(arms), 2))
    logs = np.repeat(dice.normal(0, between_starts, (runs, arms, len(sizes))), sizes, axis=2)
    logs = np.array(scales)[:, None] * (logs + dice.normal(size=logs.shape))
    found = pooled_moments([(logs[:, a] - logs[:, b], sizes) for a, b in pairs], (arms - 1) * (len(sizes) - 1))
    clear = [np.abs(one.mean) > reach(one, 1 - 0.05 / len(pairs)) for one in found]
    return float(np.mean(np.any(clear, axis=0)))


def test_how_often_one_of_ten_equal_arms_is_told_from_another() -> None:
    alike, unlike = [1.0] * 10, np.linspace(0.3, 3, 10).tolist()
    expect(
        [
            row(
                name,
                [
                    percent(told_apart(scales, sizes, between_starts, 600))
                    for scales in (alike, unlike)
                    for between_starts in (0, 0.3, 1)
                ],
            )
            for name, sizes in {"3 starts of 8 blocks": [8] * 3, "8 starts of 8 blocks": [8] * 8}.items()
        ]
    )


def test_how_often_equal_arms_with_one_block_a_start_are_told_apart() -> None:
    def scales(arms: int, noisy: int) -> list[float]:
        return [1.0] * (arms - noisy) + [10.0] * noisy

    expect(
        [
            row(
                f"{arms} arms, {starts} starts",
                [percent(told_apart(scales(arms, noisy), [1] * starts, 0, 1000)) for noisy in (0, 1, 2, arms // 2)],
            )
            for arms in (10, 17)
            for starts in (3, 5, 8)
        ]
    )
