"""Confidence levels and the quantiles that belong to them."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from dfevals.exceptions import DataError
from dfevals.inference.records import FloatOrArray

__all__ = ["check_level", "check_probability", "normal_quantile", "t_quantile"]

_LOWEST = 0.5


def check_level(level: float, name: str = "level") -> float:
    """Return a confidence level as a float, or raise unless it lies in [0.5, 1).

    An interval of a level below one half misses the true value more often than it holds it: decisions on it (a gate's,
    a verdict's) would be right by less than chance, and such a level is nearly always an alpha or a slip.

    Raises
    ------
    DataError
        `level` is not in [0.5, 1); 95 is taken for a mistyped 0.95, and 0.05 for an alpha, and the message says so.

    Examples
    --------
    >>> check_level(0.9)
    0.9
    """
    value = _number(level)
    if not _LOWEST <= value < 1:
        meant = value / 100 if 50 <= value < 100 else 1 - value if 1e-4 <= value < _LOWEST else None
        hint = "" if meant is None else f" Did you mean {meant:g}?"
        raise DataError(f"{name}={_shown(level)} must be at least {_LOWEST:g} and below 1, such as 0.95.{hint}")
    return value


def check_probability(value: float, name: str) -> float:
    """Return a number as a float, or raise unless it lies strictly between 0 and 1.

    Examples
    --------
    >>> check_probability(0.05, "alpha")
    0.05
    """
    found = _number(value)
    if not 0 < found < 1:
        hint = f" Did you mean {found / 100:g}?" if 1 < found < 100 else ""
        raise DataError(f"{name}={_shown(value)} must lie strictly between 0 and 1.{hint}")
    return found


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _shown(value: object) -> str:
    try:
        return f"{value!r:.40}"
    except ValueError:  # Python writes no whole number of thousands of digits
        return "(a huge number)"


def normal_quantile(level: float) -> float:
    """Two-sided normal quantile of a confidence level (1.96 for 0.95).

    Examples
    --------
    >>> round(normal_quantile(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + check_probability(level, "level") / 2)


def t_quantile(level: float, df: FloatOrArray) -> FloatOrArray:
    """Two-sided Student t quantile of a confidence level; NaN where `df` is not positive.

    Examples
    --------
    >>> round(float(t_quantile(0.95, 9)), 3)
    2.262
    """
    from scipy.special import stdtrit

    df = np.asarray(df, dtype=np.float64)
    upper = 0.5 + check_probability(level, "level") / 2
    if df.size > 256:  # the quantile is slow, and cohorts share degrees of freedom
        distinct, place = np.unique(df, return_inverse=True)
        return stdtrit(np.where(distinct > 0, distinct, np.nan), upper)[place].reshape(df.shape)
    return stdtrit(np.where(df > 0, df, np.nan), upper)
