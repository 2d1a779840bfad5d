"""Confidence levels and the quantiles that belong to them."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from dfevals.exceptions import DataError
from dfevals.inference.records import FloatOrArray

__all__ = ["check_level", "normal_quantile", "t_quantile"]


def check_level(level: float, name: str = "level") -> float:
    """Return `level` as a float, or raise unless it lies strictly between 0 and 1.

    Raises
    ------
    DataError
        `level` is not in (0, 1); 95 is taken for a mistyped 0.95 and the message says so.

    Examples
    --------
    >>> check_level(0.9)
    0.9
    """
    try:
        value = float(level)
    except (TypeError, ValueError):
        value = np.nan
    if not 0 < value < 1:
        hint = f" Did you mean {value / 100:g}?" if 1 < value < 100 else ""
        raise DataError(f"{name}={level!r} must lie strictly between 0 and 1.{hint}")
    return value


def normal_quantile(level: float) -> float:
    """Two-sided normal quantile of a confidence level (1.96 for 0.95).

    Examples
    --------
    >>> round(normal_quantile(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + check_level(level) / 2)


def t_quantile(level: float, df: FloatOrArray) -> FloatOrArray:
    """Two-sided Student t quantile of a confidence level; NaN where `df` is not positive.

    Examples
    --------
    >>> round(float(t_quantile(0.95, 9)), 3)
    2.262
    """
    from scipy.special import stdtrit

    df = np.asarray(df, dtype=np.float64)
    upper = 0.5 + check_level(level) / 2
    if df.size > 256:  # the quantile is slow, and cohorts share degrees of freedom
        distinct, place = np.unique(df, return_inverse=True)
        return stdtrit(np.where(distinct > 0, distinct, np.nan), upper)[place].reshape(df.shape)
    return stdtrit(np.where(df > 0, df, np.nan), upper)
