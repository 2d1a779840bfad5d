"""The area under the ROC curve: intervals and DeLong's tests, for one sample or for many groups in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError, check_choice
from dfevals.inference.levels import check_level, normal_quantile, t_quantile
from dfevals.inference.placements import (
    GroupedRows,
    SampleAUC,
    class_notes,
    complete_rows,
    complete_rows_with_groups,
)
from dfevals.inference.records import (
    Estimate,
    FloatOrArray,
    HypothesisTest,
    as_counts,
    as_given,
    label_where,
    saying_left_out,
)

__all__ = [
    "AUCTest",
    "delong",
    "delong_by_group",
    "delong_unpaired",
    "delong_unpaired_from_variances",
    "newcombe_auc",
    "roc_auc_interval",
]

Floats = NDArray[np.float64]

FEW_ROWS = 10
FEW_NOTE = "fewer than 10 rows of one class: p is approximate"
ENOUGH_INVERSIONS = 5
"""DeLong's variance is trusted alone from min(m, n)·min(A, 1−A) = 5 on."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AUCTest(HypothesisTest):
    """A comparison of two AUCs; `estimate` is `auc_a` − `auc_b`.

    Attributes
    ----------
    auc_a, auc_b : float or array
        The two areas.
    """

    auc_a: FloatOrArray = float("nan")
    auc_b: FloatOrArray = float("nan")


def delong(y_true: ArrayLike, score_a: ArrayLike, score_b: ArrayLike, level: float = 0.95) -> AUCTest:
    """DeLong's test of two AUCs on the same rows.

    Parameters
    ----------
    y_true : array of bool or 0/1, shape (n,)
        1 marks the positive class.
    score_a, score_b : array, shape (n,)
        Scores of the two models; higher means more positive. Rows with a missing value are left out for both.
    level : float
        Confidence level of the difference's interval.

    Returns
    -------
    AUCTest
        `estimate` is AUC(a) − AUC(b) in [−1, 1], `statistic` its z value, `n` the rows used. NaN with one class or a
        single row of a class; p = 1 where both scores rank all pairs alike.

    Raises
    ------
    DataError
        Lengths differ or y_true is not 0/1.

    Examples
    --------
    >>> y = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> test = delong(y, [1, 2, 3, 6, 4, 5, 7, 8], [1, 5, 3, 6, 4, 2, 7, 8])
    >>> round(test.estimate, 4), round(test.p_value, 4)
    (0.1875, 0.2679)

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 44.
    """
    labels, (first, second) = complete_rows(y_true, score_a, score_b)
    one_group = np.zeros(labels.size, dtype=np.int8)
    many = delong_by_group(one_group, labels, first, second, n_groups=1, level=level)
    test = AUCTest(
        **{name: as_given(getattr(many, name)[0]) for name in _PER_GROUP}, level=many.level, method=many.method
    )
    return saying_left_out(test, np.size(score_a) - labels.size, "row")


_PER_GROUP = ("estimate", "ci_low", "ci_high", "statistic", "p_value", "auc_a", "auc_b", "n", "note")


def delong_by_group(
    groups: ArrayLike,
    y_true: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    n_groups: int | None = None,
    level: float = 0.95,
) -> AUCTest:
    """DeLong's paired test in every group at once.

    Parameters
    ----------
    groups : array of int, shape (n,)
        Group of each row, 0 … n_groups − 1; negative codes are left out.
    y_true, score_a, score_b : array, shape (n,)
        As in `delong`.
    n_groups : int, optional
        How many groups there are; by default the largest code + 1.
    level : float
        Confidence level.

    Returns
    -------
    AUCTest
        All fields are arrays of shape (n_groups,).

    Examples
    --------
    >>> delong_by_group([0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 1, 2], [1, 3, 2, 4, 1, 2]).note.tolist()
    ['fewer than 10 rows of one class: p is approximate', 'one class']

    References
    ----------
    Sun & Xu (2014), "Fast implementation of DeLong's algorithm", IEEE Signal Processing Letters 21.
    """
    given = np.asarray(groups)
    labels, scores, codes = complete_rows_with_groups(given, y_true, score_a, score_b)
    total = int(codes.max(initial=-1)) + 1 if n_groups is None else n_groups
    z = normal_quantile(level)
    layout = GroupedRows.of(codes, labels, total)
    first, second = (layout.placements(score) for score in scores)
    auc_a, auc_b = layout.mean_of_positives(first), layout.mean_of_positives(second)
    difference = auc_a - auc_b
    of_positives, of_negatives = layout.variance_terms(first - second)
    se = np.sqrt(of_positives + of_negatives)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(se > 0, difference / se, np.where(difference == 0, 0.0, np.nan))
    statistic = np.where(np.isnan(se), np.nan, statistic)
    test = AUCTest(
        estimate=difference,
        ci_low=np.where(se > 0, np.maximum(difference - z * se, -1), np.nan),
        ci_high=np.where(se > 0, np.minimum(difference + z * se, 1), np.nan),
        statistic=statistic,
        p_value=_normal_p(statistic),
        auc_a=auc_a,
        auc_b=auc_b,
        level=level,
        method="DeLong, paired",
        n=layout.rows,
        note=label_where(
            (total,),
            **class_notes(layout.n_pos, layout.n_neg),
            alike=((se == 0) & (difference == 0), "both scores rank all pairs alike"),
            flat=(se == 0, "no variation: the difference is the same for every row"),
            few=(np.minimum(layout.n_pos, layout.n_neg) < FEW_ROWS, FEW_NOTE),
        ),
    )
    if labels.size == given.size:
        return test
    return saying_left_out(test, np.bincount(given[given >= 0], minlength=total)[:total] - layout.rows, "row")


def delong_unpaired(
    y_a: ArrayLike, score_a: ArrayLike, y_b: ArrayLike, score_b: ArrayLike, level: float = 0.95
) -> AUCTest:
    """DeLong's comparison of two AUCs on different rows.

    Parameters
    ----------
    y_a, score_a : array, shape (n_a,)
        Labels (0/1) and scores of the first sample.
    y_b, score_b : array, shape (n_b,)
        Labels and scores of the second sample.
    level : float
        Confidence level.

    Returns
    -------
    AUCTest
        `estimate` is AUC(a) − AUC(b); `statistic` follows Student's t with `df` by Satterthwaite, as in pROC.

    Examples
    --------
    >>> test = delong_unpaired([0, 0, 1, 1], [1, 3, 2, 4], [0, 0, 0, 1, 1, 1], [1, 4, 5, 2, 3, 6])
    >>> round(test.estimate, 3)
    0.194

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44; Robin et al. (2011), "pROC", BMC Bioinformatics 12.
    """
    a, b = SampleAUC.of(y_a, score_a), SampleAUC.of(y_b, score_b)
    test = delong_unpaired_from_variances(a.auc, a.variance, a.n, b.auc, b.variance, b.n, level)
    few = min(a.n_pos, a.n_neg, b.n_pos, b.n_neg) < FEW_ROWS
    test = replace(test, note=a.note or b.note or test.note or (FEW_NOTE if few else ""))
    return saying_left_out(test, a.left_out + b.left_out, "row")


def delong_unpaired_from_variances(
    auc_a: ArrayLike,
    variance_a: ArrayLike,
    n_a: ArrayLike,
    auc_b: ArrayLike,
    variance_b: ArrayLike,
    n_b: ArrayLike,
    level: float = 0.95,
) -> AUCTest:
    """DeLong's unpaired comparison from the areas and their DeLong variances, vectorised over cohorts.

    Parameters
    ----------
    auc_a, auc_b : float or array
        The two areas.
    variance_a, variance_b : float or array
        DeLong's variances of the areas.
    n_a, n_b : float or array
        Rows of the two samples.
    level : float
        Confidence level.

    Returns
    -------
    AUCTest
        As `delong_unpaired`.

    Examples
    --------
    >>> delong_unpaired_from_variances([0.8, 0.7], 0.001, 200, 0.7, 0.001, 300).p_value.round(4)
    array([0.0258, 1.    ])
    """
    from scipy.special import stdtr

    check_level(level)
    first, v1, rows1, second, v2, rows2 = as_counts(auc_a, variance_a, n_a, auc_b, variance_b, n_b)
    difference, variance = first - second, v1 + v2
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(variance > 0, variance**2 / (v1**2 / (rows1 - 1) + v2**2 / (rows2 - 1)), np.nan)
        se = np.sqrt(np.where(variance > 0, variance, np.nan))
        statistic = difference / se
        half = t_quantile(level, df) * se
    return AUCTest(
        estimate=as_given(difference),
        ci_low=as_given(np.maximum(difference - half, -1)),
        ci_high=as_given(np.minimum(difference + half, 1)),
        statistic=as_given(statistic),
        p_value=as_given(2 * stdtr(df, -np.abs(statistic))),
        df=as_given(df),
        auc_a=as_given(first),
        auc_b=as_given(second),
        level=level,
        method="DeLong, unpaired",
        n=as_given(rows1 + rows2),
        note=label_where(
            difference.shape,
            flat=(variance == 0, "no variation in either sample"),
            undefined=(np.isnan(difference + variance), "an AUC or its variance is undefined"),
        ),
    )


def roc_auc_interval(y_true: ArrayLike, y_score: ArrayLike, method: str = "auto", level: float = 0.95) -> Estimate:
    """Confidence interval of the AUC of one score.

    Parameters
    ----------
    y_true : array of bool or 0/1, shape (n,)
        1 marks the positive class.
    y_score : array, shape (n,)
        Higher means more positive; rows with a missing value are left out.
    method : {"auto", "delong", "delong-logit", "newcombe"}
        "delong" is the symmetric interval on the AUC itself, "delong-logit" that on the log odds. "auto" takes
        "delong-logit" where min(m, n)·min(A, 1−A) ≥ 5, and below it the envelope with "newcombe".
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        `estimate` is the AUC in [0, 1], ties counting half; NaN with one class. At an AUC of 0 or 1 DeLong's variance
        is 0: "delong" and "delong-logit" then give NaN bounds, "auto" gives Newcombe's.

    Examples
    --------
    >>> roc_auc_interval([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6], method="newcombe")
    Estimate(estimate=0.8889, ci_low=0.401, ci_high=0.9884, level=0.95, method='Newcombe method 5', n=6)

    References
    ----------
    DeLong et al. (1988), Biometrics 44; Newcombe (2006), "Confidence intervals for an effect size measure based on the
    Mann–Whitney statistic. Part 2", Statistics in Medicine 25, method 5; Qin & Hotilovac (2008), Statistical Methods
    in Medical Research 17.
    """
    check_choice("method", method, ("auto", "delong", "delong-logit", "newcombe"), DataError)
    check_level(level)
    sample = SampleAUC.of(y_true, y_score)
    low, high, name = _one_interval(sample, method, level)
    note = sample.note if np.isnan(low) else ""
    if np.isnan(low) and not note:
        note = f"AUC of {sample.auc:g}: DeLong's variance is 0, use method='newcombe' or 'auto'"
    found = Estimate(estimate=sample.auc, ci_low=low, ci_high=high, level=level, method=name, n=sample.n, note=note)
    return saying_left_out(found, sample.left_out, "row")


def _one_interval(sample: SampleAUC, method: str, level: float) -> tuple[float, float, str]:
    """Bounds and the name of the method that gave them."""
    if method == "newcombe":
        newcombe = newcombe_auc(sample.auc, sample.n_pos, sample.n_neg, level)
        return newcombe.ci_low, newcombe.ci_high, newcombe.method
    z, se, auc = normal_quantile(level), np.sqrt(sample.variance), sample.auc
    if method == "delong":
        if not se > 0:
            return float("nan"), float("nan"), "DeLong"
        return max(auc - z * se, 0.0), min(auc + z * se, 1.0), "DeLong"
    low, high = _logit_bounds(auc, se, z)
    few = min(sample.n_pos, sample.n_neg) * min(auc, 1 - auc) < ENOUGH_INVERSIONS
    if method == "delong-logit" or not few:
        return low, high, "DeLong on the logit"
    newcombe = newcombe_auc(auc, sample.n_pos, sample.n_neg, level)
    both = "DeLong on the logit with Newcombe method 5"
    return float(np.fmin(low, newcombe.ci_low)), float(np.fmax(high, newcombe.ci_high)), both


def _logit_bounds(auc: float, se: float, z: float) -> tuple[float, float]:
    """Symmetric interval on the log odds, carried back to [0, 1]."""
    if not (se > 0 and 0 < auc < 1):
        return float("nan"), float("nan")
    centre, half = np.log(auc / (1 - auc)), z * se / (auc * (1 - auc))
    low, high = 1 / (1 + np.exp(-(centre - half))), 1 / (1 + np.exp(-(centre + half)))
    return float(low), float(high)


def newcombe_auc(auc: ArrayLike, n_pos: ArrayLike, n_neg: ArrayLike, level: float = 0.95) -> Estimate:
    """Score-type interval of an AUC from the AUC and the two class sizes alone.

    Parameters
    ----------
    auc : float or array
        Area in [0, 1].
    n_pos, n_neg : float or array
        Rows of the two classes, broadcast against `auc`.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        Bounds stay inside [0, 1] and are useful at an AUC of 0 or 1; NaN where a class is empty.

    Examples
    --------
    >>> newcombe_auc([0.9, 1.0], 20, 20).ci_low.round(3)
    array([0.747, 0.899])

    References
    ----------
    Newcombe (2006), "Confidence intervals for an effect size measure based on the Mann–Whitney statistic. Part 2:
    asymptotic methods and evaluation", Statistics in Medicine 25, method 5.
    """
    area, m, n = as_counts(auc, n_pos, n_neg)
    if ((area < 0) | (area > 1)).any():
        raise DataError(f"auc must lie in [0, 1]; found {area[(area < 0) | (area > 1)][0]:g}.")
    empty = ~((m > 0) & (n > 0)) | np.isnan(area)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(area <= 0, 0.0, _newcombe_bound(area, m, n, normal_quantile(level), np.zeros_like(area)))
        high = np.where(area >= 1, 1.0, _newcombe_bound(area, m, n, normal_quantile(level), np.ones_like(area)))
    return Estimate(
        estimate=as_given(np.where(empty, np.nan, area)),
        ci_low=as_given(np.where(empty, np.nan, low)),
        ci_high=as_given(np.where(empty, np.nan, high)),
        level=level,
        method="Newcombe method 5",
        n=as_given(np.broadcast_to(np.add(n_pos, n_neg), area.shape)),
        note=label_where(area.shape, **class_notes(m, n, least=1), missing=(empty, "missing AUC")),
    )


def _newcombe_bound(area: Floats, m: Floats, n: Floats, z: float, end: Floats) -> Floats:
    """Root of |area − θ| = z·√V(θ) between the area and one end of [0, 1], by bisection."""
    inside, outside = area.copy(), end
    spread = (m + n) / 2 - 1
    for _ in range(60):
        theta = (inside + outside) / 2
        variance = theta * (1 - theta) / (m * n) * (1 + spread * ((1 - theta) / (2 - theta) + theta / (1 + theta)))
        within = np.abs(area - theta) <= z * np.sqrt(variance)
        inside, outside = np.where(within, theta, inside), np.where(within, outside, theta)
    return (inside + outside) / 2


def _normal_p(statistic: Floats) -> Floats:
    """Two-sided p-value of a standard normal statistic."""
    from scipy.special import ndtr

    p: Floats = 2 * ndtr(-np.abs(statistic))
    return p
