"""Effect sizes: how large a difference is, apart from whether it is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dfevals.exceptions import DataError
from dfevals.inference.auc import roc_auc_interval
from dfevals.inference.levels import normal_quantile
from dfevals.inference.proportions import checked_counts, clopper_pearson
from dfevals.inference.records import Estimate, FloatOrArray, as_counts, as_given, label_where

__all__ = ["cliffs_delta", "cohens_h", "cohens_h_interval", "discordant_odds_ratio"]


def cohens_h(p1: ArrayLike, p2: ArrayLike) -> FloatOrArray:
    """Cohen's h of two proportions: the difference of their arcsines.

    Parameters
    ----------
    p1, p2 : float or array
        Proportions in [0, 1].

    Returns
    -------
    float or array
        In [−π, π]; .2 is called small, .5 medium, .8 large. NaN where a proportion is.

    Raises
    ------
    DataError
        A proportion lies outside [0, 1].

    Examples
    --------
    >>> round(cohens_h(0.8, 0.6), 3)
    0.442

    References
    ----------
    Cohen (1988), "Statistical power analysis for the behavioral sciences", 2nd ed., section 6.2.
    """
    first, second = as_counts(p1, p2)
    for share, name in ((first, "p1"), (second, "p2")):
        if ((share < 0) | (share > 1)).any():
            raise DataError(f"{name} must lie in [0, 1]; found {share[(share < 0) | (share > 1)][0]:g}.")
    return as_given(2 * np.arcsin(np.sqrt(first)) - 2 * np.arcsin(np.sqrt(second)))


def cohens_h_interval(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, level: float = 0.95) -> Estimate:
    """Cohen's h from counts, with the interval of the variance-stabilised difference.

    Parameters
    ----------
    k1, n1, k2, n2 : float or array
        Successes and trials of two samples of different rows.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        `estimate` is h; the standard error is √(1/n1 + 1/n2). NaN where a sample is empty.

    Examples
    --------
    >>> round(cohens_h_interval(56, 70, 48, 80).ci_low, 3)
    0.121
    """
    z = normal_quantile(level)
    first, rows1 = checked_counts(k1, n1, ("k1", "n1"))
    second, rows2 = checked_counts(k2, n2, ("k2", "n2"))
    with np.errstate(divide="ignore", invalid="ignore"):
        h = np.asarray(cohens_h(first / rows1, second / rows2))
        half = z * np.sqrt(1 / rows1 + 1 / rows2)
    return Estimate(
        estimate=as_given(h),
        ci_low=as_given(np.maximum(h - half, -np.pi)),
        ci_high=as_given(np.minimum(h + half, np.pi)),
        level=level,
        method="Cohen's h",
        n=as_given(np.broadcast_to(np.add(n1, n2), h.shape)),
        note=label_where(h.shape, empty=(np.isnan(h), "a sample has no rows")),
    )


def discordant_odds_ratio(b: ArrayLike, c: ArrayLike, level: float = 0.95) -> Estimate:
    """Odds ratio of paired 0/1 outcomes: discordant pairs for the first over those for the second.

    Parameters
    ----------
    b, c : float or array
        Rows that only the first model gets right, and rows that only the second gets right.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        `estimate` is b / c in [0, ∞] with the exact conditional interval, from Clopper–Pearson on b / (b + c).
        NaN without discordant pairs. `n` is b + c.

    Examples
    --------
    >>> record = discordant_odds_ratio(12, 4)
    >>> record.estimate, round(record.ci_low, 3), round(record.ci_high, 3)
    (3.0, 0.909, 12.762)

    References
    ----------
    Breslow & Day (1980), "Statistical methods in cancer research", volume 1, section 5.2.
    """
    first, second = as_counts(b, c)
    share = clopper_pearson(first, first + second, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, low, high = (np.asarray(v) / (1 - np.asarray(v)) for v in (share.estimate, share.ci_low, share.ci_high))
        ratio = first / second
    none = first + second == 0
    return Estimate(
        estimate=as_given(np.where(none, np.nan, ratio)),
        ci_low=as_given(low),
        ci_high=as_given(high),
        level=level,
        method="discordant odds ratio, exact",
        n=as_given(np.add(b, c)),
        note=label_where(ratio.shape, none=(none, "no discordant pairs")),
    )


def cliffs_delta(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Estimate:
    """Cliff's delta: the chance that a value of `a` is above one of `b`, less the chance that it is below.

    Parameters
    ----------
    a, b : array, shape (n_a,) and (n_b,)
        Two samples; missing values are left out.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        `estimate` in [−1, 1] is 2·AUC − 1, and the interval that of the AUC (`roc_auc_interval`), carried over. NaN where
        a sample is empty.

    Examples
    --------
    >>> round(cliffs_delta([3, 4, 5, 6], [1, 2, 3, 4]).estimate, 4)
    0.75

    References
    ----------
    Cliff (1993), "Dominance statistics: ordinal analyses to answer ordinal questions", Psychological Bulletin 114.
    """
    first, second = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (a, b))
    labels = np.repeat([True, False], [first.size, second.size])
    area = roc_auc_interval(labels, np.concatenate([first, second]), level=level)
    return Estimate(
        estimate=2 * area.estimate - 1,
        ci_low=2 * area.ci_low - 1,
        ci_high=2 * area.ci_high - 1,
        level=level,
        method=f"Cliff's delta, {area.method}",
        n=area.n,
        note=area.note.replace("one class", "a sample has no values"),
    )
