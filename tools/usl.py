"""The Universal Scalability Law, fitted to measured points, or a reason why these points do not allow it.

    X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1))

lambda is what one alone does; sigma is contention, the part of the work that queues for something shared; kappa is
coherency, the cost of synchronizing N of them with each other. With kappa > 0 the curve has a peak, at
sqrt((1 - sigma) / kappa), and falls beyond it. After Gunther, Guerrilla Capacity Planning, 2007, chapters 4 to 6, who
asks for six points or more.

Must not know what is scaled, nor what is shown of it.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from tools.stats.nested_mean import Floats

LEAST_SIZES = 6
"""Distinct N: with three parameters to fit, fewer leave nothing to judge the fit by."""
CONFIDENCE = 0.95
ROUNDING = 1e-6
"""What points without any noise leave of a parameter that is 0."""


class FitError(Exception):
    """These points do not identify a curve; the message is one line with the reason."""


@dataclass(frozen=True, slots=True)
class FittedValue:
    """A value and the ends of its confidence interval."""

    value: float
    low: float
    high: float

    def includes(self, value: float) -> bool:
        """Whether the interval does."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """As `0.1 (0.08 to 0.12)`."""
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True, slots=True)
class Fit:
    """The curve. Intervals are those of Student's t on the parameters' standard errors, at CONFIDENCE."""

    rate: FittedValue
    """lambda, in the unit of the rates given."""
    sigma: FittedValue
    kappa: FittedValue
    peak: FittedValue | None
    """N with the highest rate; None if kappa cannot be distinguished from 0, so that no peak is visible."""

    def at(self, n: float) -> float:
        """The rate that the curve has at N."""
        return float(_usl(np.array([n]), self.rate.value, self.sigma.value, self.kappa.value)[0])


def fit(sizes: Sequence[float], rates: Sequence[float]) -> Fit:
    """Fits the points (N, rate); several may share an N. Raises FitError, and ValueError for what is no point.

    Errors are taken to be proportional to the rate, as those of repeated measurements are.
    """
    n, x = np.asarray(sizes, dtype=float), np.asarray(rates, dtype=float)
    if n.shape != x.shape or n.ndim != 1 or not (np.all(n > 0) and np.all(x > 0) and np.all(np.isfinite(x))):
        raise ValueError("each N has one rate, and both are above 0")
    distinct = len(set(sizes))
    if distinct < LEAST_SIZES:
        raise FitError(f"{distinct} different N, but a fit of three parameters needs {LEAST_SIZES}")
    try:
        with warnings.catch_warnings(action="ignore", category=optimize.OptimizeWarning):  # infinity shows it too
            values, covariance = optimize.curve_fit(_usl, n, x, p0=(x[0] / n[0], 0.05, 0.001), sigma=x, maxfev=10_000)
    except RuntimeError as error:
        raise FitError("no curve of this form fits the points") from error
    freedom = len(n) - 3
    if _straight(n, x, values, freedom):
        raise FitError("the bend is within the noise: a straight line fits as well")
    if not np.all(np.isfinite(covariance)):
        raise FitError("many curves fit the points equally well")
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    rate, sigma, kappa = (
        FittedValue(float(value), float(value - reach * error), float(value + reach * error))
        for value, error in zip(values, np.sqrt(np.diag(covariance)), strict=True)
    )
    for name, estimate, highest in (("sigma", sigma, 1.0), ("kappa", kappa, math.inf)):
        if estimate.high < -ROUNDING:
            raise FitError(
                f"{name} is below 0, {estimate}: the rate grows faster than in proportion, which "
                "the law does not explain"
            )
        if estimate.high >= highest:
            raise FitError(f"{name} is {estimate}, but values from {highest:g} on have no meaning")
    if rate.low <= 0:
        raise FitError(f"the rate of one alone is {rate}, but only a rate above 0 has a meaning")
    if sigma.includes(0) and kappa.includes(0):
        raise FitError(f"contention and coherency cannot be distinguished: sigma is {sigma}, kappa {kappa}")
    return Fit(rate, sigma, kappa, _peak(sigma, kappa, covariance[1:, 1:], float(reach)))


def _usl(n: Floats, rate: float, sigma: float, kappa: float) -> Floats:
    rates: Floats = rate * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))
    return rates


def _straight(n: Floats, x: Floats, values: Floats, freedom: int) -> bool:
    """Whether an F-test accepts the straight line, which has two parameters fewer."""
    slope = np.sum(n / x) / np.sum((n / x) ** 2)  # least squares of relative errors
    line, curve = (float(np.sum((model / x - 1) ** 2)) for model in (slope * n, _usl(n, *values)))
    if curve <= ROUNDING**2:  # no noise to judge by
        return line <= ROUNDING**2
    return float(stats.f.sf((line - curve) / 2 / (curve / freedom), 2, freedom)) > 1 - CONFIDENCE


def _peak(sigma: FittedValue, kappa: FittedValue, covariance: Floats, reach: float) -> FittedValue | None:
    if kappa.low <= 0:
        return None
    peak = math.sqrt((1 - sigma.value) / kappa.value)
    # The delta method: the peak's variance to first order in those of sigma and kappa.
    gradient = np.array([-1 / (2 * kappa.value * peak), -peak / (2 * kappa.value)])
    error = reach * math.sqrt(gradient @ covariance @ gradient)
    return FittedValue(peak, peak - error, peak + error)
