"""Tests of paired and unpaired measurements: t tests, signed ranks, sign flips, equivalence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError
from dfevals.inference.levels import check_level, check_probability, t_quantile
from dfevals.inference.records import FloatOrArray, HypothesisTest, as_counts, as_given, label_where, saying_left_out

__all__ = [
    "differences_of",
    "paired_ttest",
    "paired_ttest_from_moments",
    "rounding_of",
    "tost",
    "welch_ttest",
    "welch_ttest_from_moments",
]

Floats = NDArray[np.float64]
LAST_PLACES = 16


def differences_of(a: ArrayLike, b: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Differences a − b along the last axis, and the mask of complete pairs.

    They are 0 where a value is missing, and where the two values differ by the rounding of their last digits alone.

    Raises
    ------
    DataError
        The shapes do not match, or the arrays have no axis of pairs.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim == 0:
        raise DataError(
            f"paired values must have the same shape (..., n); found {first.shape} and {second.shape}. "
            "Values of different rows are compared by welch_ttest."
        )
    with np.errstate(invalid="ignore"):
        gaps = first - second
        complete = ~np.isnan(gaps)
        return np.where(complete & (np.abs(gaps) > rounding_of(a, b)), gaps, 0.0), complete


def rounding_of(a: ArrayLike, b: ArrayLike) -> Floats:
    """How much of each difference a − b may be rounding: some units in the last place of the greater value.

    .82 − .80 and .52 − .50 are one number written twice; without this they would take two ranks.
    """
    kinds = [np.asarray(x).dtype for x in (a, b)]
    eps = max(np.finfo(k if k.kind == "f" else np.float64).eps for k in kinds)
    size = np.maximum(*(np.abs(np.asarray(x, dtype=np.float64)) for x in (a, b)))
    return np.where(np.isfinite(size), LAST_PLACES * float(eps) * size, 0.0)


def paired_ttest(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> HypothesisTest:
    """Student's t test of the mean difference of pairs.

    Parameters
    ----------
    a, b : array, shape (..., n)
        Values of the two models on the same rows; leading axes are cohorts. Incomplete pairs are left out.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is the mean of a − b, `n` the complete pairs, `df` n − 1. NaN with fewer than two pairs or where all
        differences are the same number; p is 1 where all are 0.

    Examples
    --------
    >>> paired_ttest([3.1, 2.4, 5.0, 4.2], [2.9, 2.5, 4.1, 3.6])
    HypothesisTest(estimate=0.4, ci_low=-0.2997, ci_high=1.1, level=0.95, method='paired t', n=4, statistic=1.819, p_value=0.1664, df=3)

    References
    ----------
    Student (1908), "The probable error of a mean", Biometrika 6.
    """
    gaps, complete = differences_of(a, b)
    n = complete.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = gaps.sum(axis=-1) / n
        squares = (np.where(complete, gaps - mean[..., None], 0.0) ** 2).sum(axis=-1)
        variance = squares / (n - 1)
    scale = np.abs(gaps).max(axis=-1, initial=0.0)
    variance = np.where(squares <= n * (1e-12 * scale) ** 2, 0.0, variance)
    test = paired_ttest_from_moments(mean, variance, n, level)
    return saying_left_out(test, (~complete).sum(axis=-1), "pair")


def paired_ttest_from_moments(
    mean: ArrayLike, variance: ArrayLike, n: ArrayLike, level: float = 0.95
) -> HypothesisTest:
    """Student's t test from the mean, the variance and the number of the differences, vectorised over cohorts.

    Parameters
    ----------
    mean, variance, n : float or array
        Mean of the differences, their variance (divisor n − 1), and how many there are.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        As `paired_ttest`.

    Examples
    --------
    >>> paired_ttest_from_moments(0.4, 0.19, 4).p_value.__round__(4)
    0.1638
    """
    centre, spread, count = as_counts(mean, variance, n)
    spread = np.where(count > 1, spread, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt(spread / count)
    return t_test(centre, se, count - 1, n=as_given(np.broadcast_to(n, centre.shape)), level=level, method="paired t")


def t_test(
    centre: Floats,
    se: Floats,
    df: FloatOrArray,
    *,
    n: FloatOrArray,
    level: float,
    method: str,
    few: str = "too few pairs",
) -> HypothesisTest:
    """Record of a t statistic; constant differences and too few of them are told apart."""
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(se > 0, centre / se, np.nan)
        half = np.where(se > 0, t_quantile(level, df) * se, np.nan)
    constant, zero = se == 0, (se == 0) & (centre == 0)
    return HypothesisTest(
        estimate=as_given(centre),
        ci_low=as_given(centre - half),
        ci_high=as_given(centre + half),
        statistic=as_given(statistic),
        p_value=as_given(np.where(zero, 1.0, 2 * stdtr(df, -np.abs(statistic)))),
        df=as_given(np.where(np.isnan(se), np.nan, df)),
        level=check_level(level),
        method=method,
        n=n,
        note=label_where(
            np.shape(centre),
            zero=(zero, "all differences are 0"),
            constant=(constant, "constant differences"),
            few=(np.isnan(se), few),
        ),
    )


def welch_ttest(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> HypothesisTest:
    """Welch's t test of two means on different rows.

    Parameters
    ----------
    a, b : array, shape (..., n_a) and (..., n_b)
        Values of the two samples; missing values are left out.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is mean(a) − mean(b), `df` Satterthwaite's.

    Examples
    --------
    >>> round(welch_ttest([3.1, 2.4, 5.0, 4.2], [2.9, 2.5, 4.1]).p_value, 4)
    0.5283

    References
    ----------
    Welch (1947), "The generalization of 'Student's' problem when several different population variances are involved",
    Biometrika 34.
    """
    test = welch_ttest_from_moments(*_moments(a), *_moments(b), level)
    missing = [np.isnan(np.atleast_1d(np.asarray(x, dtype=np.float64))).sum(axis=-1) for x in (a, b)]
    return saying_left_out(test, missing[0] + missing[1], "value")


def _moments(values: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Mean, variance (divisor n − 1) and number of the values present along the last axis."""
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    present = ~np.isnan(array)
    n = present.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(present, array, 0.0).sum(axis=-1) / n
        squares = (np.where(present, array - mean[..., None], 0.0) ** 2).sum(axis=-1)
        return mean, squares / (n - 1), n.astype(np.float64)


def welch_ttest_from_moments(
    mean_a: ArrayLike,
    variance_a: ArrayLike,
    n_a: ArrayLike,
    mean_b: ArrayLike,
    variance_b: ArrayLike,
    n_b: ArrayLike,
    level: float = 0.95,
) -> HypothesisTest:
    """Welch's t test from means, variances (divisor n − 1) and sizes, vectorised over cohorts.

    Returns
    -------
    HypothesisTest
        As `welch_ttest`.

    Examples
    --------
    >>> test = welch_ttest_from_moments([0.4, 0.1], 0.2, 40, 0.1, 0.3, 60)
    >>> test.estimate.round(3), test.p_value.round(4)
    (array([0.3, 0. ]), array([0.0035, 1.    ]))
    """
    m1, v1, n1, m2, v2, n2 = as_counts(mean_a, variance_a, n_a, mean_b, variance_b, n_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        part1, part2 = np.where(n1 > 1, v1 / n1, np.nan), np.where(n2 > 1, v2 / n2, np.nan)
        df = (part1 + part2) ** 2 / (part1**2 / (n1 - 1) + part2**2 / (n2 - 1))
    few = "fewer than two values in a sample"
    return t_test(m1 - m2, np.sqrt(part1 + part2), df, n=as_given(n1 + n2), level=level, method="Welch t", few=few)


def tost(
    a: ArrayLike, b: ArrayLike, margin: float | tuple[float, float], paired: bool = True, alpha: float = 0.05
) -> HypothesisTest:
    """Two one-sided t tests: is the mean difference smaller than a margin?

    Parameters
    ----------
    a, b : array, shape (..., n)
        Values on the same rows, or of two samples with `paired=False`.
    margin : float or (float, float)
        The difference that would not matter: ±margin, or (low, high).
    paired : bool
        Pairs, or two independent samples (Welch).
    alpha : float
        Level of the test; the interval reported is that of level 1 − 2·alpha, which lies inside the margin exactly when
        p < alpha.

    Returns
    -------
    HypothesisTest
        `p_value` is the larger of the two one-sided p-values: small means *equivalent*. `estimate` is the mean
        difference; `statistic` the t value of the larger p. NaN as in `paired_ttest`; constant differences have
        p 0 inside the margin and 1 outside.

    Raises
    ------
    DataError
        The margin is not positive, or its ends are not in order.

    Examples
    --------
    >>> tost([3.1, 2.4, 5.0, 4.2], [3.0, 2.5, 4.9, 4.2], margin=0.5)
    HypothesisTest(estimate=0.025, ci_low=-0.08766, ci_high=0.1377, level=0.9, method='TOST (paired t)', n=4, statistic=9.922, p_value=0.001089, df=3)

    References
    ----------
    Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach", Journal of
    Pharmacokinetics and Biopharmaceutics 15.
    """
    from scipy.special import stdtr

    low, high = margin if isinstance(margin, tuple) else (-margin, margin)
    if not low < high:
        raise DataError(f"margin={margin!r} must be a positive number or a pair (low, high) with low < high.")
    level = 1 - 2 * check_probability(alpha, "alpha")
    test = (paired_ttest if paired else welch_ttest)(a, b, level)
    se = (np.asarray(test.ci_high) - test.ci_low) / 2 / t_quantile(level, test.df)
    with np.errstate(divide="ignore", invalid="ignore"):
        above, below = (test.estimate - low) / se, (high - test.estimate) / se
    smaller = np.fmin(above, below)
    p_value = stdtr(test.df, -smaller)
    constant = np.isnan(se) & ~np.isnan(test.df)
    inside = (low < np.asarray(test.estimate)) & (np.asarray(test.estimate) < high)
    return HypothesisTest(
        estimate=test.estimate,
        ci_low=test.ci_low,
        ci_high=test.ci_high,
        statistic=as_given(smaller),
        p_value=as_given(np.where(constant, np.where(inside, 0.0, 1.0), p_value)),
        df=test.df,
        level=level,
        method=f"TOST ({test.method})",
        n=test.n,
        note=test.note,
    )
