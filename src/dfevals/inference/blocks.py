"""Many models over blocks (folds, data sets or cohorts): repeated-measures analysis of variance, Friedman, Nemenyi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError, check_choice
from dfevals.inference.levels import check_probability
from dfevals.inference.records import FloatOrArray, HypothesisTest, as_given, label_where, saying_left_out

__all__ = ["FriedmanTest", "NemenyiTest", "RepeatedAnova", "anova_repeated", "friedman", "nemenyi"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RepeatedAnova(HypothesisTest):
    """Repeated-measures analysis of variance.

    Attributes
    ----------
    means : array, shape (k,)
        Mean of each model over the complete blocks.
    epsilon : float
        Greenhouse and Geisser's ε in [1/(k − 1), 1]; 1 where all differences vary alike.
    p_greenhouse_geisser : float
        p-value with both degrees of freedom multiplied by ε.
    """

    means: Any = None
    epsilon: float = float("nan")
    p_greenhouse_geisser: float = float("nan")


def anova_repeated(x: ArrayLike) -> RepeatedAnova:
    """Repeated-measures analysis of variance: do k models have the same mean over the same blocks?

    Parameters
    ----------
    x : array, shape (blocks, k)
        One row per block (fold, data set, cohort), one column per model. Incomplete blocks are left out.

    Returns
    -------
    RepeatedAnova
        `statistic` is F with `df` (k − 1, (blocks − 1)(k − 1)); `estimate` is the largest less the smallest mean. NaN
        with fewer than two blocks or without residual variation.

    Examples
    --------
    >>> test = anova_repeated([[8, 7, 6], [9, 8, 6], [7, 7, 5], [8, 6, 6]])
    >>> round(test.statistic, 2), test.df, round(test.p_value, 4)
    (16.64, (2.0, 6.0), 0.0036)

    References
    ----------
    Fisher (1925), "Statistical methods for research workers"; Greenhouse & Geisser (1959), Psychometrika 24.
    """
    values, left_out = _blocks(x)
    return saying_left_out(_anova(values), left_out, "block")


def _anova(values: Floats) -> RepeatedAnova:
    from scipy.special import fdtrc

    n, k = values.shape
    df = (float(k - 1), float((n - 1) * (k - 1)))
    method = "repeated-measures ANOVA"
    if n < 2:
        return RepeatedAnova(df=df, method=method, n=n, note="fewer than two complete blocks")
    means = values.mean(axis=0)
    residual = values - means - values.mean(axis=1, keepdims=True) + values.mean()
    between, within = n * ((means - means.mean()) ** 2).sum(), (residual**2).sum()
    estimate = float(means.max() - means.min())
    if within <= 1e-24 * (values**2).sum():
        note = "all models are alike in every block" if estimate == 0 else "no residual variation"
        p_value = 1.0 if estimate == 0 else float("nan")
        return RepeatedAnova(estimate=estimate, p_value=p_value, df=df, means=means, method=method, n=n, note=note)
    statistic = (between / df[0]) / (within / df[1])
    epsilon = _greenhouse_geisser(residual, k)
    return RepeatedAnova(
        estimate=estimate,
        statistic=float(statistic),
        p_value=float(fdtrc(*df, statistic)),
        df=df,
        method=method,
        n=n,
        means=means,
        epsilon=epsilon,
        p_greenhouse_geisser=float(fdtrc(epsilon * df[0], epsilon * df[1], statistic)),
    )


def _greenhouse_geisser(residual: Floats, k: int) -> float:
    """ε from the double-centred covariance of the models."""
    covariance = residual.T @ residual
    return float(np.trace(covariance) ** 2 / ((k - 1) * (covariance**2).sum()))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FriedmanTest(HypothesisTest):
    """Friedman's test of mean ranks.

    Attributes
    ----------
    ranks : array, shape (..., k)
        Mean rank of each model; 1 is best.
    f_statistic, f_p_value : float or array
        Iman and Davenport's F, less conservative than chi², and its p-value.
    f_df : tuple of float or arrays
        Its degrees of freedom, (k − 1, (k − 1)(blocks − 1)).
    """

    ranks: Any = None
    f_statistic: FloatOrArray = float("nan")
    f_p_value: FloatOrArray = float("nan")
    f_df: FloatOrArray = float("nan")


def friedman(x: ArrayLike, tie_correction: bool = True, better: str = "higher") -> FriedmanTest:
    """Friedman's rank test of k models over blocks, with Iman and Davenport's F.

    Parameters
    ----------
    x : array, shape (..., blocks, k)
        One row per block (data set, fold, cohort), one column per model; leading axes are separate problems.
        Incomplete blocks are left out.
    tie_correction : bool
        Correct chi² for ties within blocks. Demšar (2006) does not.
    better : {"higher", "lower"}
        Which values get rank 1.

    Returns
    -------
    FriedmanTest
        `statistic` is chi² with `df` k − 1, `ranks` the mean ranks, `estimate` the largest less the smallest mean rank.
        p is 1 where all ranks are tied.

    Examples
    --------
    >>> test = friedman([[0.9, 0.8, 0.7], [0.8, 0.9, 0.6], [0.7, 0.6, 0.5], [0.9, 0.7, 0.8]])
    >>> test.ranks, round(test.statistic, 3), round(test.f_p_value, 4)
    (array([1.25, 2.  , 2.75]), 4.5, 0.0837)

    References
    ----------
    Friedman (1937), JASA 32; Iman & Davenport (1980), Communications in Statistics A9; Demšar (2006), "Statistical
    comparisons of classifiers over multiple data sets", JMLR 7.
    """
    from scipy.special import chdtrc, fdtrc

    ranks, n, ties = _mean_ranks(x, better)
    k = ranks.shape[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = 12 * n / (k * (k + 1)) * ((ranks - (k + 1) / 2) ** 2).sum(axis=-1)
        if tie_correction:
            statistic = statistic / (1 - ties / (n * (k**3 - k)))
        room = n * (k - 1) - statistic
        perfect = room <= 1e-12 * n * (k - 1)
        f_statistic = np.where(perfect, np.inf, (n - 1) * statistic / room)
        f_df = (float(k - 1), as_given((k - 1.0) * (n - 1)))
        f_p_value = np.where(perfect, 0.0, fdtrc(k - 1.0, np.where(n > 1, f_df[1], np.nan), f_statistic))
    tied = ties == n * (k**3 - k)
    few = n < 2
    unclear = np.where(few, np.nan, 1.0)
    test = FriedmanTest(
        estimate=as_given(ranks.max(axis=-1) - ranks.min(axis=-1)),
        statistic=as_given(np.where(tied | few, np.nan, statistic)),
        p_value=as_given(np.where(tied | few, unclear, chdtrc(k - 1, statistic))),
        df=float(k - 1),
        method="Friedman" + (", corrected for ties" if tie_correction else ""),
        n=as_given(n),
        note=label_where(n.shape, few=(few, "fewer than two complete blocks"), tied=(tied, "all models are tied")),
        ranks=ranks,
        f_statistic=as_given(np.where(tied | few, np.nan, f_statistic)),
        f_p_value=as_given(np.where(tied | few, unclear, f_p_value)),
        f_df=f_df,
    )
    return saying_left_out(test, np.shape(x)[-2] - n, "block")


def _mean_ranks(x: ArrayLike, better: str) -> tuple[Floats, NDArray[np.intp], Floats]:
    """Mean ranks over the complete blocks, their number, and the sum of t³ − t over all ties."""
    check_choice("better", better, ("higher", "lower"), DataError)
    values = np.asarray(x, dtype=np.float64)
    if values.ndim < 2 or values.shape[-1] < 2:
        raise DataError(f"x must have shape (blocks, k) with k ≥ 2 models; found {values.shape}.")
    complete = np.asarray(~np.isnan(values).any(axis=-1))
    signed = np.where(complete[..., None], -values if better == "higher" else values, 0.0)
    others, own = signed[..., None, :], signed[..., :, None]
    alike = (others == own).sum(axis=-1)
    ranks = (others < own).sum(axis=-1) + (alike + 1) / 2
    n = complete.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (ranks * complete[..., None]).sum(axis=-2) / n[..., None]
    # a group of t ties holds t models, each of which counts t² − 1
    ties = ((alike**2 - 1.0).sum(axis=-1) * complete).sum(axis=-1)
    return mean, n, ties


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class NemenyiTest(HypothesisTest):
    """All pairs of models by their mean ranks.

    `estimate` and `p_value` are k × k arrays: rank of the row's model less that of the column's, and its p-value.

    Attributes
    ----------
    ranks : array, shape (k,)
        Mean rank of each model; 1 is best.
    critical_difference : float
        Mean ranks further apart than this differ at `alpha`.
    alpha : float
        Family-wise error rate.
    groups : list of tuple of int
        Largest sets of models, best first, within which nothing differs: the bars of a critical-difference diagram.
    """

    ranks: Any = None
    critical_difference: float = float("nan")
    alpha: float = 0.05
    groups: Any = None


def nemenyi(x: ArrayLike, alpha: float = 0.05, better: str = "higher") -> NemenyiTest:
    """Nemenyi's comparison of all pairs of models by mean ranks.

    Parameters
    ----------
    x : array, shape (blocks, k)
        One row per block, one column per model. Incomplete blocks are left out.
    alpha : float
        Family-wise error rate.
    better : {"higher", "lower"}
        Which values get rank 1.

    Returns
    -------
    NemenyiTest
        NaN with fewer than two complete blocks.

    Examples
    --------
    >>> test = nemenyi([[0.9, 0.8, 0.7], [0.8, 0.9, 0.6], [0.7, 0.6, 0.5], [0.9, 0.7, 0.8]])
    >>> round(test.critical_difference, 3), test.groups
    (1.657, [(0, 1, 2)])

    References
    ----------
    Nemenyi (1963), "Distribution-free multiple comparisons"; Demšar (2006), JMLR 7.
    """
    check_probability(alpha, "alpha")
    values, left_out = _blocks(x)
    return saying_left_out(_nemenyi(values, alpha, better), left_out, "block")


def _nemenyi(values: Floats, alpha: float, better: str) -> NemenyiTest:
    from scipy.stats import studentized_range

    n, k = values.shape
    method = "Nemenyi"
    if n < 2:
        return NemenyiTest(alpha=alpha, method=method, n=n, note="fewer than two complete blocks")
    ranks, _, _ = _mean_ranks(values, better)
    # differences of mean ranks have standard error sqrt(k (k + 1) / (6 n)); the range is in units of a single rank
    unit = np.sqrt(k * (k + 1) / (12 * n))
    gaps = ranks[:, None] - ranks[None, :]
    p_value = np.ones((k, k))
    upper = np.triu_indices(k, 1)
    p_value[upper] = np.clip(studentized_range.sf(np.abs(gaps[upper]) / unit, k, np.inf), 0, 1)
    p_value.T[upper] = p_value[upper]
    critical = float(studentized_range.ppf(1 - alpha, k, np.inf) * unit)
    return NemenyiTest(
        estimate=gaps,
        p_value=p_value,
        method=method,
        level=1 - alpha,
        n=n,
        ranks=ranks,
        critical_difference=critical,
        alpha=alpha,
        groups=_groups(ranks, critical),
    )


def _groups(ranks: Floats, critical: float) -> list[tuple[int, ...]]:
    """Maximal runs of models, in order of rank, no two of which are further apart than `critical`."""
    order = np.argsort(ranks, kind="stable")
    ends = np.searchsorted(ranks[order], ranks[order] + critical, side="right")
    runs = [
        tuple(int(model) for model in order[start:end])
        for start, end in enumerate(ends)
        if start == 0 or end > ends[start - 1]
    ]
    return [run for run in runs if len(run) > 1]


def _blocks(x: ArrayLike) -> tuple[Floats, int]:
    """The complete rows of a two-dimensional array of blocks × models, and how many others there are."""
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise DataError(f"x must have shape (blocks, k) with k ≥ 2 models; found {values.shape}.")
    complete: Floats = values[~np.isnan(values).any(axis=1)]
    return complete, len(values) - len(complete)
