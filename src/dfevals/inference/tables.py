"""Two independent proportions compared: one 2 × 2 table, or many strata of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError, check_choice
from dfevals.inference.levels import normal_quantile
from dfevals.inference.proportions import checked_counts, newcombe_difference
from dfevals.inference.records import HypothesisTest, agreeing, as_given, label_where

__all__ = ["mantel_haenszel", "two_proportions"]

Floats = NDArray[np.float64]
TESTS = {
    "score": "score z",
    "newcombe": "Newcombe's interval inverted",
    "exact": "Fisher exact",
    "exact-mid-p": "Fisher mid-p",
}
HALVINGS = 60
SETTLED = 1e-9  # relative distance from the root at which the step that follows it is the last


def two_proportions(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, method: str = "score", level: float = 0.95
) -> HypothesisTest:
    """Test of two proportions on different rows, with Newcombe's interval of their difference.

    Parameters
    ----------
    k1, n1, k2, n2 : float or array
        Successes and trials of the two samples, broadcast against each other ("exact" needs whole numbers).
    method : {"score", "newcombe", "exact", "exact-mid-p"}
        "newcombe" asks at which level Newcombe's interval just touches 0, so that p and interval always agree; "score" is
        the z test with the pooled rate (chi² without continuity correction); "exact" is Fisher's test, and
        "exact-mid-p" counts half of the probability of tables as likely as the one seen.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is k1/n1 − k2/n2 in [−1, 1] with the Newcombe hybrid score interval, which ends at 0 or takes 0 in where
        the test asked for says so; `statistic` is z for "score" and "newcombe". p is 1 where all rows of both samples
        agree; NaN where a sample is empty.

    Raises
    ------
    DataError
        Impossible counts, or "exact" on counts that are not whole.

    Examples
    --------
    >>> test = two_proportions(56, 70, 48, 80)
    >>> round(test.p_value, 4), round(test.ci_low, 4), round(test.ci_high, 4)
    (0.008, 0.0524, 0.3339)

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, method 10; Fisher (1935), "The logic of inductive inference", JRSS 98.
    """
    check_choice("method", method, tuple(TESTS), DataError)
    interval = newcombe_difference(k1, n1, k2, n2, level)
    first, rows1 = checked_counts(k1, n1, ("k1", "n1"))
    second, rows2 = checked_counts(k2, n2, ("k2", "n2"))
    first, rows1, second, rows2 = np.broadcast_arrays(first, rows1, second, rows2)
    if method in ("score", "newcombe"):
        test = _score if method == "score" else _newcombe
        statistic, p_value = test(first, rows1, second, rows2)
    else:
        p_value = _fisher(first, rows1, second, rows2, mid_p=method == "exact-mid-p")
        statistic = np.full(first.shape, np.nan)
    total = first + second
    agree = ((total == 0) | (total == rows1 + rows2)) & (rows1 > 0) & (rows2 > 0)
    undefined = np.isnan(interval.estimate)
    p_value = np.where(undefined, np.nan, np.where(agree, 1.0, p_value))
    low, high = agreeing(interval.ci_low, interval.ci_high, interval.estimate, p_value, level)
    note = label_where(first.shape, agree=(agree, "all rows agree"))
    return HypothesisTest(
        estimate=interval.estimate,
        ci_low=as_given(low),
        ci_high=as_given(high),
        statistic=as_given(statistic),
        p_value=as_given(p_value),
        level=level,
        method=TESTS[method],
        n=interval.n,
        note=as_given(np.where(undefined, interval.note, note)),
    )


def _score(k1: Floats, n1: Floats, k2: Floats, n2: Floats) -> tuple[Floats, Floats]:
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (k1 + k2) / (n1 + n2)
        z = (k1 / n1 - k2 / n2) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    return np.where(np.isfinite(z), z, np.nan), 2 * ndtr(-np.abs(z))


def _newcombe(k1: Floats, n1: Floats, k2: Floats, n2: Floats) -> tuple[Floats, Floats]:
    """Normal quantile at which Newcombe's interval of the difference just touches 0, and its p-value.

    The distance from the difference to its bound grows nearly as a power of the quantile, so that Newton's steps on the
    logarithms of both, kept between what was too little and too much, arrive in a handful of steps.
    """
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        p1, p2 = k1 / n1, k2 / n2
        gap = np.abs(p1 - p2)
        upper, lower = np.maximum(p1, p2), 1 - np.minimum(p1, p2)  # shares that are bounded from below
        n_upper, n_lower = np.where(p1 >= p2, n1, n2), np.where(p1 >= p2, n2, n1)
        z = gap / np.sqrt(
            (upper * (1 - upper) + 0.25 / n_upper) / n_upper + (lower * (1 - lower) + 0.25 / n_lower) / n_lower
        )
        low, high, unsettled = np.zeros(gap.shape), np.full(gap.shape, np.inf), gap > 0
        for _ in range(HALVINGS):
            of_upper, of_lower = _below(upper, n_upper, z), _below(lower, n_lower, z)
            square = of_upper[0] ** 2 + of_lower[0] ** 2
            short = np.log(gap**2 / square) / 2
            low, high = np.where(short > 0, z, low), np.where(short < 0, z, high)
            slope = (of_upper[0] * of_upper[1] + of_lower[0] * of_lower[1]) / square
            new = z * np.exp(np.clip(short / slope, -3, 3))
            middle = np.where(np.isinf(high), 2 * z, (low + high) / 2)
            z = np.where(unsettled, np.where((new >= low) & (new <= high), new, middle), z)
            unsettled = unsettled & (np.abs(short) > SETTLED)  # the same beside other cohorts as alone
            if not unsettled.any():
                break
    z = np.where(gap == 0, 0.0, z)
    return np.where(p1 >= p2, z, -z), 2 * ndtr(-z)


def _below(p: Floats, n: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Distance of Wilson's lower bound from a share, without cancellation, and its derivative by the logarithm of z."""
    u = z * z / n
    root, side = np.sqrt(p * (1 - p) / n + u / (4 * n)), (p - 0.5) * z / n
    distance = np.where(side >= 0, z * (side + root) / (1 + u), z * p * (1 - p) / n / (root - side))
    bound = p - distance
    return distance, 2 * u * bound * (1 - bound) / (2 * distance + u * (1 - 2 * bound))


def _fisher(k1: Floats, n1: Floats, k2: Floats, n2: Floats, mid_p: bool) -> Floats:
    """Two-sided conditional p-values: the probability of all tables no likelier than the one seen."""
    p_value = np.full(k1.shape, np.nan)
    for at in np.ndindex(k1.shape):
        table = np.array([k1[at], n1[at], k2[at], n2[at]])
        if np.isnan(table).any() or table[1] == 0 or table[3] == 0:
            continue
        if (table != np.round(table)).any():
            raise DataError(f"method='exact' needs whole counts; found {table.tolist()}. Use method='score'.")
        p_value[at] = _fisher_one(table.astype(int), mid_p)
    return p_value


def _fisher_one(table: NDArray[np.int_], mid_p: bool) -> float:
    from scipy.special import gammaln

    k1, n1, k2, n2 = table.tolist()
    successes = k1 + k2
    possible = np.arange(max(0, successes - n2), min(n1, successes) + 1)
    log_probability = -sum(
        gammaln(part + 1) for part in (possible, n1 - possible, successes - possible, n2 - successes + possible)
    )
    probability = np.exp(log_probability - log_probability.max())
    seen = probability[k1 - possible[0]]
    as_likely = np.isclose(probability, seen, rtol=1e-7, atol=0)
    less = probability[(probability < seen) & ~as_likely].sum()
    half = 0.5 if mid_p else 1.0
    return float((less + half * probability[as_likely].sum()) / probability.sum())


def mantel_haenszel(tables: ArrayLike, correction: bool = False, level: float = 0.95) -> HypothesisTest:
    """Cochran–Mantel–Haenszel test and the common odds ratio of several 2 × 2 tables.

    Parameters
    ----------
    tables : array, shape (strata, 2, 2)
        Counts [[a, b], [c, d]] of each stratum: rows are the two models or groups, columns right and wrong.
    correction : bool
        Continuity correction of the statistic.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is the Mantel–Haenszel odds ratio in [0, ∞) with the interval of Robins, Breslow & Greenland on the
        log scale, which ends at 1 or takes 1 in where the test says so; `statistic` is chi² with 1 `df`. NaN where no stratum holds both groups and both outcomes.

    Raises
    ------
    DataError
        Not of shape (strata, 2, 2), or a negative count.

    Examples
    --------
    >>> test = mantel_haenszel([[[12, 16], [7, 19]], [[16, 11], [5, 16]]])
    >>> round(test.estimate, 3), round(test.p_value, 4)
    (2.968, 0.0103)

    References
    ----------
    Mantel & Haenszel (1959), JNCI 22; Robins, Breslow & Greenland (1986), "Estimators of the Mantel–Haenszel variance
    consistent in both sparse data and large-strata limiting models", Biometrics 42.
    """
    counts = np.asarray(tables, dtype=np.float64)
    if counts.ndim == 2:
        counts = counts[None]
    if counts.shape[1:] != (2, 2):
        raise DataError(f"tables must have shape (strata, 2, 2); found {counts.shape}.")
    if (counts < 0).any():
        raise DataError(f"tables hold a negative count ({counts[counts < 0][0]:g}).")
    z = normal_quantile(level)
    counts = counts[counts.sum(axis=(1, 2)) > 0]
    statistic, p_value = _cmh(counts, correction)
    odds_ratio, se = _common_odds_ratio(counts)
    low, high = agreeing(odds_ratio * np.exp(-z * se), odds_ratio * np.exp(z * se), odds_ratio, p_value, level, null=1)
    note = "" if np.isfinite(statistic) else "no stratum holds both groups and both outcomes"
    if not note and not np.isfinite(low):
        note = "a product of opposite cells is 0 in every stratum"
    return HypothesisTest(
        estimate=float(odds_ratio),
        ci_low=float(low),
        ci_high=float(high),
        statistic=statistic,
        p_value=p_value,
        df=1.0,
        level=level,
        method="Cochran–Mantel–Haenszel",
        n=float(counts.sum()),
        note=note,
    )


def _cmh(counts: Floats, correction: bool) -> tuple[float, float]:
    from scipy.special import chdtrc

    rows, columns, total = counts.sum(axis=2), counts.sum(axis=1), counts.sum(axis=(1, 2))
    expected = rows[:, 0] * columns[:, 0] / total
    several = total > 1
    variance = (rows.prod(axis=1) * columns.prod(axis=1))[several] / (total**2 * (total - 1))[several]
    distance = abs((counts[:, 0, 0] - expected).sum())
    if not variance.sum() > 0:
        return float("nan"), float("nan")
    statistic = max(distance - 0.5 * correction, 0.0) ** 2 / variance.sum()
    return float(statistic), float(chdtrc(1, statistic))


def _common_odds_ratio(counts: Floats) -> tuple[float, float]:
    """Mantel–Haenszel odds ratio and the standard error of its logarithm."""
    total = counts.sum(axis=(1, 2))
    straight, crossed = counts[:, 0, 0] * counts[:, 1, 1] / total, counts[:, 0, 1] * counts[:, 1, 0] / total
    r, s = straight.sum(), crossed.sum()
    if r == 0 or s == 0:
        return (float("nan") if r == s else 0.0 if r == 0 else float("inf")), float("nan")
    p, q = (counts[:, 0, 0] + counts[:, 1, 1]) / total, (counts[:, 0, 1] + counts[:, 1, 0]) / total
    variance = (
        (p * straight).sum() / (2 * r * r)
        + (p * crossed + q * straight).sum() / (2 * r * s)
        + (q * crossed).sum() / (2 * s * s)
    )
    return float(r / s), float(np.sqrt(variance))
