"""Tests of two learners over the folds of a cross-validation.

Folds share training rows, so the plain t test finds differences that are not there; these tests allow for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError, check_choice
from dfevals.inference.levels import check_level, t_quantile
from dfevals.inference.paired import t_test
from dfevals.inference.records import FloatOrArray, HypothesisTest, as_given, label_where, saying_left_out

__all__ = [
    "BayesianTest",
    "bayesian_correlated_ttest",
    "calibrated_resampled_ttest",
    "corrected_resampled_ttest",
    "five_by_two_cv_ftest",
    "five_by_two_cv_ttest",
]

Floats = NDArray[np.float64]
FEW_FOLDS = "fewer than two folds"
CALIBRATED = 6.0
"""Degrees of freedom that repeats add up to, from the simulation in tests/coverage/repeated_folds.py."""


def corrected_resampled_ttest(
    differences: ArrayLike, n_train: ArrayLike, n_test: ArrayLike, level: float = 0.95
) -> HypothesisTest:
    """Nadeau and Bengio's corrected t test of two learners over folds or resamples.

    Parameters
    ----------
    differences : array, shape (..., folds)
        Score of the first learner less that of the second, per fold (over all repeats); leading axes are cohorts or
        metrics. Missing folds are left out.
    n_train, n_test : float or array of shape (folds,)
        Training and test rows of a fold; for unequal folds give arrays, and the mean ratio is used.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is the mean difference with its corrected interval, `df` folds − 1. NaN with one fold or where all
        differences are the same number; p is 1 where all are 0.

    Raises
    ------
    DataError
        A number of rows is not positive.

    Examples
    --------
    >>> corrected_resampled_ttest([0.02, 0.01, 0.03, -0.01, 0.02], n_train=80, n_test=20)
    HypothesisTest(estimate=0.014, ci_low=-0.01425, ci_high=0.04225, level=0.95, method='corrected resampled t (Nadeau–Bengio)', n=5, statistic=1.376, p_value=0.2408, df=4)

    References
    ----------
    Nadeau & Bengio (2003), "Inference for the generalization error", Machine Learning 52; Bouckaert & Frank (2004),
    "Evaluating the replicability of significance tests for comparing learning algorithms", PAKDD.
    """
    return calibrated_resampled_ttest(differences, n_train, n_test, level=level)


def calibrated_resampled_ttest(
    differences: ArrayLike, n_train: ArrayLike, n_test: ArrayLike, repeats: int = 1, level: float = 0.95
) -> HypothesisTest:
    """Nadeau and Bengio's test over repeated cross-validation, with degrees of freedom calibrated by simulation.

    Repeats of the same folds on the same rows make no new data. With folds × repeats − 1 degrees of freedom equal learners
    differ at .05 in up to .13 of simulated data sets (.25 where the learner jumps), with folds − 1 in as few as .00 of
    them. Between the two, at most six degrees of freedom, or folds − 1 where these are more, come closest to the level.

    Parameters
    ----------
    differences, n_train, n_test, level
        As in `corrected_resampled_ttest`, to which one repeat is equal.
    repeats : int
        How many times the data were cut into folds; the folds of all repeats stand in `differences`.

    Returns
    -------
    HypothesisTest
        As `corrected_resampled_ttest`; `df` is min(k·r − 1, max(k − 1, 6)) for r repeats of k folds.

    Raises
    ------
    DataError
        A number of rows or `repeats` is not positive.

    Examples
    --------
    >>> d = [0.02, 0.01, 0.03, -0.01, 0.02, 0.03, 0.0, 0.02, 0.01, 0.02]
    >>> test = calibrated_resampled_ttest(d, n_train=80, n_test=20, repeats=2)
    >>> test.df, round(test.p_value, 3)
    (6.0, 0.093)

    References
    ----------
    Bouckaert (2003), "Choosing between two learning algorithms based on calibrated tests", ICML; Nadeau & Bengio (2003),
    Machine Learning 52.
    """
    if repeats < 1:
        raise DataError(f"repeats={repeats} must be at least 1.")
    mean, se, n = _corrected(differences, n_train, n_test)
    method = "corrected resampled t (Nadeau–Bengio)" + (", calibrated" if repeats > 1 else "")
    df = repeated_df(n, repeats)
    test = t_test(mean, se, df, n=as_given(n), level=level, method=method, few=FEW_FOLDS)
    return saying_left_out(test, np.shape(np.atleast_1d(differences))[-1] - n, "fold")


def repeated_df(n: ArrayLike, repeats: int) -> Any:
    """Degrees of freedom of n values over the folds of some repeats."""
    count = np.asarray(n)
    return count - 1 if repeats == 1 else np.minimum(count - 1, np.maximum(count / repeats - 1, CALIBRATED))


def _corrected(
    differences: ArrayLike, n_train: ArrayLike, n_test: ArrayLike
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Mean difference, its corrected standard error and the folds present."""
    values = np.atleast_1d(np.asarray(differences, dtype=np.float64))
    train, test = np.asarray(n_train, dtype=np.float64), np.asarray(n_test, dtype=np.float64)
    for rows, name in ((train, "n_train"), (test, "n_test")):
        if not (rows > 0).all():
            raise DataError(f"{name} must be positive; found {rows[~(rows > 0)].ravel()[0]:g}.")
    present = ~np.isnan(values)
    n = present.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(present, test / train, 0.0).sum(axis=-1) / n
        mean = np.where(present, values, 0.0).sum(axis=-1) / n
        squares = (np.where(present, values - mean[..., None], 0.0) ** 2).sum(axis=-1)
        scale = np.where(present, np.abs(values), 0.0).max(axis=-1, initial=0.0)
        variance = np.where(squares <= n * (1e-12 * scale) ** 2, 0.0, squares) / np.where(n > 1, n - 1, np.nan)
        return mean, np.sqrt((1 / n + ratio) * variance), n


def five_by_two_cv_ttest(differences: ArrayLike) -> HypothesisTest:
    """Dietterich's 5 × 2 cross-validation t test of two learners.

    Parameters
    ----------
    differences : array, shape (..., 5, 2)
        Differences of the scores: five repeats of two folds.

    Returns
    -------
    HypothesisTest
        The statistic has the first difference as its numerator, and `df` 5; `estimate` is the mean of all ten
        differences, so there is no interval around it. NaN where the folds of every repeat agree, p is 1 where all
        differences are 0.

    Examples
    --------
    >>> d = [[0.02, 0.01], [0.03, 0.0], [0.01, 0.02], [0.02, 0.03], [0.0, 0.01]]
    >>> round(five_by_two_cv_ttest(d).p_value, 4)
    0.1398

    References
    ----------
    Dietterich (1998), "Approximate statistical tests for comparing supervised classification learning algorithms",
    Neural Computation 10.
    """
    from scipy.special import stdtr

    values, variance, note = _five_by_two(differences)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(variance > 0, values[..., 0, 0] / np.sqrt(variance), np.nan)
    zero = (values == 0).all(axis=(-2, -1))
    return HypothesisTest(
        estimate=as_given(values.mean(axis=(-2, -1))),
        statistic=as_given(statistic),
        p_value=as_given(np.where(zero, 1.0, 2 * stdtr(5, -np.abs(statistic)))),
        df=5.0,
        method="5x2cv t (Dietterich)",
        n=10,
        note=note,
    )


def five_by_two_cv_ftest(differences: ArrayLike) -> HypothesisTest:
    """Alpaydın's combined 5 × 2 cross-validation F test of two learners.

    Parameters
    ----------
    differences : array, shape (..., 5, 2)
        Differences of the scores: five repeats of two folds.

    Returns
    -------
    HypothesisTest
        `df` is (10, 5); `estimate` is the mean of all ten differences; there is no interval.

    Examples
    --------
    >>> d = [[0.02, 0.01], [0.03, 0.0], [0.01, 0.02], [0.02, 0.03], [0.0, 0.01]]
    >>> round(five_by_two_cv_ftest(d).p_value, 4)
    0.1578

    References
    ----------
    Alpaydın (1999), "Combined 5 × 2 cv F test for comparing supervised classification learning algorithms", Neural
    Computation 11.
    """
    from scipy.special import fdtrc

    values, variance, note = _five_by_two(differences)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(variance > 0, (values**2).sum(axis=(-2, -1)) / (10 * variance), np.nan)
    zero = (values == 0).all(axis=(-2, -1))
    return HypothesisTest(
        estimate=as_given(values.mean(axis=(-2, -1))),
        statistic=as_given(statistic),
        p_value=as_given(np.where(zero, 1.0, fdtrc(10, 5, statistic))),
        df=(10.0, 5.0),
        method="5x2cv F (Alpaydın)",
        n=10,
        note=note,
    )


def _five_by_two(differences: ArrayLike) -> tuple[Floats, Floats, FloatOrArray]:
    """The differences, the mean of the five variances, and notes."""
    values = np.asarray(differences, dtype=np.float64)
    if values.shape[-2:] != (5, 2):
        raise DataError(f"differences must have shape (5, 2), five repeats of two folds; found {values.shape}.")
    variance = ((values[..., 0] - values[..., 1]) ** 2 / 2).mean(axis=-1)
    missing = np.isnan(variance)
    zero = (values == 0).all(axis=(-2, -1))
    note = label_where(
        variance.shape,
        missing=(missing, "a fold is missing"),
        zero=(zero, "all differences are 0"),
        flat=(variance == 0, "the folds of every repeat agree"),
    )
    return values, variance, note


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BayesianTest(HypothesisTest):
    """Posterior probabilities of a difference between two learners.

    Attributes
    ----------
    p_a, p_rope, p_b : float or array
        Probability that the first is better, that both are practically equivalent, that the second is better.
    better : {"higher", "lower", "none"}
        Which sign of the difference is the better; with "none" `p_a` is the probability that the first is greater.
    scale : float or array
        Scale of the posterior, a Student t with `df` degrees of freedom around `estimate`.
    rope : float
        Half-width of the region of practical equivalence.
    """

    p_a: FloatOrArray = float("nan")
    p_rope: FloatOrArray = float("nan")
    p_b: FloatOrArray = float("nan")
    scale: FloatOrArray = float("nan")
    rope: float = float("nan")
    better: str = "higher"


def bayesian_correlated_ttest(
    differences: ArrayLike,
    n_train: ArrayLike,
    n_test: ArrayLike,
    rope: float = 0.01,
    level: float = 0.95,
    better: str = "higher",
    repeats: int = 1,
) -> BayesianTest:
    """Bayesian correlated t test of two learners over folds, with a region of practical equivalence.

    Parameters
    ----------
    differences : array, shape (..., folds)
        Score of the first learner less that of the second.
    n_train, n_test : float or array of shape (folds,)
        Training and test rows of a fold.
    rope : float
        Differences up to this size do not matter; 0 or more.
    level : float
        Probability of the credible interval.
    better : {"higher", "lower", "none"}
        "lower" for losses: `p_a` is then the probability that the difference is below −rope.
    repeats : int
        Repeats of the folds, for degrees of freedom as in `calibrated_resampled_ttest`.

    Returns
    -------
    BayesianTest
        `p_a`, `p_rope`, `p_b` add up to 1; the interval is the central credible interval of the mean difference.
        NaN with one fold or constant differences; where all differences are 0, `p_rope` is 1.

    Raises
    ------
    DataError
        rope is negative, a number of rows is not positive, or `better` is another word.

    Examples
    --------
    >>> test = bayesian_correlated_ttest([0.02, 0.01, 0.03, -0.01, 0.02], n_train=80, n_test=20)
    >>> round(test.p_a, 3), round(test.p_rope, 3), round(test.p_b, 3)
    (0.643, 0.318, 0.039)
    >>> bayesian_correlated_ttest([-3.1, -2.2, -4.0], n_train=80, n_test=40, rope=0, better="lower").p_a > 0.95
    True

    References
    ----------
    Corani & Benavoli (2015), "A Bayesian approach for comparing cross-validated algorithms on multiple data sets",
    Machine Learning 100; Benavoli et al. (2017), "Time for a change", JMLR 18.
    """
    from scipy.special import stdtr

    if not rope >= 0:
        raise DataError(f"rope={rope!r} must be 0 or more.")
    check_level(level)
    check_choice("better", better, ("higher", "lower", "none"), DataError)
    mean, scale, n = _corrected(differences, n_train, n_test)
    df = np.where(n > 1, repeated_df(n, repeats), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(scale > 0, stdtr(df, (mean - rope) / scale), np.nan)
        below = np.where(scale > 0, stdtr(df, (-rope - mean) / scale), np.nan)
        half = np.where(scale > 0, t_quantile(level, df) * scale, np.nan)
    zero = (scale == 0) & (mean == 0)
    above, below = np.where(zero, 0.0, above), np.where(zero, 0.0, below)
    p_a, p_b = (below, above) if better == "lower" else (above, below)
    test = BayesianTest(
        estimate=as_given(mean),
        ci_low=as_given(mean - half),
        ci_high=as_given(mean + half),
        df=as_given(df),
        level=level,
        method="Bayesian correlated t",
        n=as_given(n),
        note=label_where(
            mean.shape,
            zero=(zero, "all differences are 0"),
            constant=(scale == 0, "constant differences"),
            few=(np.isnan(scale), FEW_FOLDS),
        ),
        p_a=as_given(p_a),
        p_rope=as_given(np.maximum(1 - p_a - p_b, 0)),
        p_b=as_given(p_b),
        scale=as_given(scale),
        rope=float(rope),
        better=better,
    )
    return saying_left_out(test, np.shape(np.atleast_1d(differences))[-1] - n, "fold")
