"""Intervals for proportions and their differences, vectorised over cohorts by broadcasting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError
from dfevals.inference.levels import check_level, normal_quantile
from dfevals.inference.records import Estimate, as_counts, as_given, label_where

__all__ = ["agresti_coull", "clopper_pearson", "newcombe_difference", "wilson"]

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]


def wilson(k: ArrayLike, n: ArrayLike, level: float = 0.95) -> Estimate:
    """Score interval of a proportion.

    Parameters
    ----------
    k, n : float or array
        Successes and trials, broadcast against each other. Need not be whole: effective sizes are fine.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        `estimate` is k / n in [0, 1]; all numbers are NaN where n is 0 (note "no rows") or an input is NaN.

    Raises
    ------
    DataError
        A count is negative or k exceeds n.

    Examples
    --------
    >>> wilson(8, 10)
    Estimate(estimate=0.8, ci_low=0.4902, ci_high=0.9433, level=0.95, method='Wilson', n=10)
    >>> wilson([0, 8], 10).ci_low.round(3)
    array([0.  , 0.49])

    References
    ----------
    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    return _proportion(k, n, level, _wilson_bounds, "Wilson")


def _wilson_bounds(k: Floats, n: Floats, level: float) -> Bounds:
    z = normal_quantile(level)
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(np.maximum(k * (n - k) / n, 0) + z * z / 4)
    low = np.where(k <= 0, 0.0, np.maximum(centre - half, 0))
    high = np.where(k >= n, 1.0, np.minimum(centre + half, 1))
    return low, high


def clopper_pearson(k: ArrayLike, n: ArrayLike, level: float = 0.95) -> Estimate:
    """Exact binomial interval of a proportion: covers at least `level`, usually more.

    Parameters
    ----------
    k, n : float or array
        Successes and trials, broadcast against each other.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        `estimate` is k / n in [0, 1]; NaN where n is 0.

    Examples
    --------
    >>> clopper_pearson(8, 10)
    Estimate(estimate=0.8, ci_low=0.4439, ci_high=0.9748, level=0.95, method='Clopper–Pearson', n=10)

    References
    ----------
    Clopper & Pearson (1934), "The use of confidence or fiducial limits", Biometrika 26.
    """
    return _proportion(k, n, level, _clopper_pearson_bounds, "Clopper–Pearson")


def _clopper_pearson_bounds(k: Floats, n: Floats, level: float) -> Bounds:
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    some, missed = np.maximum(k, 1e-300), np.maximum(n - k, 1e-300)
    low = np.where(k <= 0, 0.0, betaincinv(some, n - k + 1, tail))
    high = np.where(k >= n, 1.0, betaincinv(k + 1, missed, 1 - tail))
    return low, high


def agresti_coull(k: ArrayLike, n: ArrayLike, level: float = 0.95) -> Estimate:
    """Adjusted Wald interval of a proportion, clipped to [0, 1].

    Parameters
    ----------
    k, n : float or array
        Successes and trials, broadcast against each other.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        `estimate` is k / n (not the adjusted centre); NaN where n is 0.

    Examples
    --------
    >>> agresti_coull(8, 10)
    Estimate(estimate=0.8, ci_low=0.4794, ci_high=0.9541, level=0.95, method='Agresti–Coull', n=10)

    References
    ----------
    Agresti & Coull (1998), "Approximate is better than exact for interval estimation of binomial proportions",
    The American Statistician 52.
    """
    return _proportion(k, n, level, _agresti_coull_bounds, "Agresti–Coull")


def _agresti_coull_bounds(k: Floats, n: Floats, level: float) -> Bounds:
    z = normal_quantile(level)
    total = n + z * z
    centre = (k + z * z / 2) / total
    half = z * np.sqrt(centre * (1 - centre) / total)
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def _proportion(
    k: ArrayLike, n: ArrayLike, level: float, bounds: Callable[[Floats, Floats, float], Bounds], method: str
) -> Estimate:
    """Check the counts, apply one kind of bounds, and blank what has no rows."""
    check_level(level)
    successes, trials = checked_counts(k, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = bounds(successes, trials, level)
        estimate = successes / trials
    empty = ~(trials > 0) | np.isnan(successes)
    return Estimate(
        estimate=as_given(np.where(empty, np.nan, estimate)),
        ci_low=as_given(np.where(empty, np.nan, low)),
        ci_high=as_given(np.where(empty, np.nan, high)),
        level=level,
        method=method,
        n=as_given(np.broadcast_arrays(n, k)[0]),
        note=label_where(empty.shape, empty=(trials == 0, "no rows"), missing=(empty, "missing count")),
    )


def checked_counts(k: ArrayLike, n: ArrayLike, names: tuple[str, str] = ("k", "n")) -> tuple[Floats, Floats]:
    """Successes and trials as float arrays of one shape, with rounding beyond [0, n] clipped.

    Raises
    ------
    DataError
        A count is negative or successes exceed trials by more than rounding.
    """
    successes, trials = as_counts(k, n)
    slack = 1e-9 * np.maximum(trials, 1)
    for wrong, what in (
        (trials < 0, f"{names[1]} is negative"),
        (successes < -slack, f"{names[0]} is negative"),
        (successes > trials + slack, f"{names[0]} is greater than {names[1]}"),
    ):
        if wrong.any():
            at = np.flatnonzero(wrong.ravel())[0]
            found = f"{names[0]}={successes.ravel()[at]:g}, {names[1]}={trials.ravel()[at]:g}"
            raise DataError(f"{what} ({found}); give counts with 0 ≤ {names[0]} ≤ {names[1]}.")
    return np.clip(successes, 0, np.maximum(trials, 0)), trials


def newcombe_difference(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, level: float = 0.95) -> Estimate:
    """Hybrid score interval of the difference of two independent proportions.

    Parameters
    ----------
    k1, n1, k2, n2 : float or array
        Successes and trials of the two samples, all broadcast against each other.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        `estimate` is k1/n1 − k2/n2 in [−1, 1]; NaN where a sample has no rows. `n` is n1 + n2.

    Examples
    --------
    >>> newcombe_difference(56, 70, 48, 80)
    Estimate(estimate=0.2, ci_low=0.05243, ci_high=0.3339, level=0.95, method='Newcombe hybrid score', n=150)

    References
    ----------
    Newcombe (1998), "Interval estimation for the difference between independent proportions", Statistics in
    Medicine 17, method 10.
    """
    first, second = wilson(k1, n1, level), wilson(k2, n2, level)
    difference, low, high = mover_difference(first, second)
    shape = np.shape(difference)
    return Estimate(
        estimate=as_given(difference),
        ci_low=as_given(low),
        ci_high=as_given(high),
        level=level,
        method="Newcombe hybrid score",
        n=as_given(np.broadcast_to(np.add(n1, n2), shape)),
        note=label_where(
            shape,
            first=(np.asarray(n1) == 0, "no rows in the first sample"),
            second=(np.asarray(n2) == 0, "no rows in the second sample"),
            missing=(np.isnan(difference), "missing count"),
        ),
    )


def mover_difference(first: Estimate, second: Estimate) -> tuple[Floats, Floats, Floats]:
    """Difference of two independent estimates and its interval, recovered from their own intervals.

    Returns
    -------
    difference, low, high : arrays
        The method of variance estimates recovery (MOVER).

    References
    ----------
    Zou & Donner (2008), "Construction of confidence limits about effect measures: a general approach", Statistics in
    Medicine 27.
    """
    difference = np.asarray(first.estimate - second.estimate, dtype=np.float64)
    below = np.hypot(first.estimate - first.ci_low, second.ci_high - second.estimate)
    above = np.hypot(first.ci_high - first.estimate, second.estimate - second.ci_low)
    return difference, difference - below, difference + above
