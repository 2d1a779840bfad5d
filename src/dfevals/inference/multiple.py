"""Corrections of p-values for having looked many times.

All take an array of p-values of any shape and return corrected p-values of that shape. A NaN p-value (a test that could
not be made) stays NaN and does not count as a test.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError, check_choice

__all__ = ["benjamini_hochberg", "benjamini_yekutieli", "bonferroni", "correct", "hochberg", "holm"]

Floats = NDArray[np.float64]


def bonferroni(p: ArrayLike) -> Floats:
    """Bonferroni's family-wise correction: p times the number of tests, at most 1.

    Examples
    --------
    >>> bonferroni([0.01, 0.04, float("nan")])
    array([0.02, 0.08,  nan])
    """
    return _sorted_apply(p, lambda s: np.minimum(s * s.size, 1))


def holm(p: ArrayLike) -> Floats:
    """Holm's step-down correction: family-wise error at most α under any dependence.

    Parameters
    ----------
    p : array
        p-values in [0, 1] or NaN.

    Returns
    -------
    array
        Corrected p-values, same shape.

    Raises
    ------
    DataError
        A p-value lies outside [0, 1].

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])

    References
    ----------
    Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    return _sorted_apply(p, lambda s: np.maximum.accumulate(s * np.arange(s.size, 0, -1)))


def hochberg(p: ArrayLike) -> Floats:
    """Hochberg's step-up correction: family-wise error for independent or positively dependent tests.

    Never larger than `holm`.

    Examples
    --------
    >>> hochberg([0.01, 0.04, 0.03])
    array([0.03, 0.04, 0.04])

    References
    ----------
    Hochberg (1988), "A sharper Bonferroni procedure for multiple tests of significance", Biometrika 75.
    """
    return _sorted_apply(p, lambda s: _cumulative_minimum(s * np.arange(s.size, 0, -1)))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Benjamini and Hochberg's correction: expected share of false findings, independent or positively dependent tests.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    array([0.03, 0.04, 0.04])

    References
    ----------
    Benjamini & Hochberg (1995), "Controlling the false discovery rate", JRSS B 57.
    """
    return _sorted_apply(p, lambda s: _cumulative_minimum(s * s.size / np.arange(1, s.size + 1)))


def benjamini_yekutieli(p: ArrayLike) -> Floats:
    """Benjamini and Yekutieli's correction: expected share of false findings under any dependence.

    Examples
    --------
    >>> benjamini_yekutieli([0.01, 0.04, 0.03]).round(4)
    array([0.055 , 0.0733, 0.0733])

    References
    ----------
    Benjamini & Yekutieli (2001), "The control of the false discovery rate in multiple testing under dependency",
    Annals of Statistics 29.
    """

    def step_up(s: Floats) -> Floats:
        ranks = np.arange(1, s.size + 1)
        return _cumulative_minimum(s * s.size * np.sum(1 / ranks) / ranks)

    return _sorted_apply(p, step_up)


def _cumulative_minimum(values: Floats) -> Floats:
    """Minimum of each value and all after it."""
    return np.minimum.accumulate(values[::-1])[::-1]


def _sorted_apply(p: ArrayLike, step: Callable[[Floats], Floats]) -> Floats:
    """Apply a correction to the sorted p-values that are there, and put them back in place."""
    given = np.asarray(p, dtype=np.float64)
    if (given < 0).any() or (given > 1).any():
        wrong = given[(given < 0) | (given > 1)][0]
        raise DataError(f"p-values must lie in [0, 1]; found {wrong:g}.")
    corrected = np.full(given.shape, np.nan)
    there = ~np.isnan(given)
    present = given[there]
    if present.size:
        order = np.argsort(present, kind="stable")
        back = np.empty_like(present)
        back[order] = np.minimum(step(present[order]), 1)
        corrected[there] = back
    return corrected


CORRECTIONS: dict[str, Callable[[ArrayLike], Floats]] = {
    "holm": holm,
    "hochberg": hochberg,
    "bonferroni": bonferroni,
    "benjamini_hochberg": benjamini_hochberg,
    "benjamini_yekutieli": benjamini_yekutieli,
    "bh": benjamini_hochberg,
    "by": benjamini_yekutieli,
    "fdr_bh": benjamini_hochberg,
    "fdr_by": benjamini_yekutieli,
    "none": lambda p: np.array(p, dtype=np.float64),
}


def correct(p: ArrayLike, correction: str | None = "holm") -> Floats:
    """Correct p-values by the name of a correction; `None` or "none" leaves them as they are.

    Parameters
    ----------
    p : array
        p-values in [0, 1] or NaN.
    correction : str or None
        "holm", "hochberg", "bonferroni", "benjamini_hochberg" ("bh", "fdr_bh"), "benjamini_yekutieli" ("by",
        "fdr_by") or "none".

    Raises
    ------
    DfevalsError
        The name is not known.

    Examples
    --------
    >>> correct([0.01, 0.04, 0.03], "bh")
    array([0.03, 0.04, 0.04])
    """
    name = "none" if correction is None else correction
    check_choice("correction", name, CORRECTIONS, DataError)
    return CORRECTIONS[name](p)
