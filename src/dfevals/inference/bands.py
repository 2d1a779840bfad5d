"""Bands around curves of a score: intervals at a threshold, at a false positive rate, and for a whole curve at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfevals.inference.levels import check_level
from dfevals.inference.proportions import wilson

__all__ = ["RatePoints", "ks_distance", "rate_bounds", "rates_band", "simultaneous_factor"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RatePoints:
    """Points of ROC curves, by descending threshold within each curve.

    Attributes
    ----------
    curve : array of int, shape (points,)
        Curve of the point, ascending.
    fpr, tpr : arrays, shape (points,)
    n_pos, n_neg : arrays, shape (curves,)
        (Effective) numbers of positives and negatives.
    """

    curve: Ints
    fpr: Floats
    tpr: Floats
    n_pos: Floats
    n_neg: Floats


def ks_distance(n: Floats, level: float) -> Floats:
    """Distance that the empirical distribution of n rows keeps from the true one with probability `level`, everywhere.

    Parameters
    ----------
    n : array
        (Effective) sample sizes; NaN where there are no rows.
    level : float

    Returns
    -------
    array
        At most 1.

    Examples
    --------
    >>> ks_distance(np.array([100.0]), 0.95).round(3)
    array([0.134])

    References
    ----------
    Stephens (1970), "Use of the Kolmogorov–Smirnov, Cramér–von Mises and related statistics without extensive tables",
    JRSS B 32, whose correction for small n is used.
    """
    from scipy.special import kolmogi

    root = np.sqrt(np.where(n > 0, n, np.nan))
    return np.fmin(kolmogi(1 - check_level(level)) / (root + 0.12 + 0.11 / root), 1.0)


def rate_bounds(points: RatePoints, level: float, simultaneous: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """Bounds of the true positive and false positive rate at the threshold of every point.

    Parameters
    ----------
    points : RatePoints
    level : float
    simultaneous : bool
        False: Wilson's interval of each rate. True: rectangles that hold the true point of every threshold at once, with
        probability `level` (Campbell 1994): both distributions of scores stay within their Kolmogorov–Smirnov distance.

    Returns
    -------
    tpr_low, tpr_high, fpr_low, fpr_high : arrays, shape (points,)

    References
    ----------
    Campbell (1994), "Advances in statistical methodology for the evaluation of diagnostic and laboratory tests",
    Statistics in Medicine 13.
    """
    out: list[Floats] = []
    for rate, size in ((points.tpr, points.n_pos), (points.fpr, points.n_neg)):
        if simultaneous:
            distance = ks_distance(size, math.sqrt(level))[points.curve]
            out += [np.clip(rate - distance, 0, 1), np.clip(rate + distance, 0, 1)]
        else:
            n = size[points.curve]
            known = n > 0
            found = wilson(np.where(known, rate, 0) * np.where(known, n, 0), np.where(known, n, 0), level)
            out += [np.asarray(found.ci_low), np.asarray(found.ci_high)]
    return out[0], out[1], out[2], out[3]


def rates_band(points: RatePoints, level: float) -> tuple[Floats, Floats]:
    """Band of the true positive rate at every point's false positive rate, each by itself.

    The curve there is uncertain because the rate of the positives is, and because the threshold that belongs to this
    false positive rate is. Both distances are combined as independent ones (MOVER); the second is read off the curve at
    the ends of Wilson's interval of the false positive rate. Simulated coverage of 95 %: .94–.98.

    Parameters
    ----------
    points : RatePoints
    level : float

    Returns
    -------
    low, high : arrays, shape (points,)

    References
    ----------
    Zou & Donner (2008), "Construction of confidence limits about effect measures: a general approach", Statistics in
    Medicine 27, for the combination.
    """
    tpr_low, tpr_high, fpr_low, fpr_high = rate_bounds(points, level, False)
    at = points.curve * 3.0  # curves side by side on one axis, so that one interpolation serves all
    left = _interpolated(at + fpr_low, at + points.fpr, points.tpr, points.curve, 0.0)
    right = _interpolated(at + fpr_high, at + points.fpr, points.tpr, points.curve, 1.0)
    low = points.tpr - np.hypot(points.tpr - tpr_low, np.maximum(points.tpr - left, 0))
    high = points.tpr + np.hypot(tpr_high - points.tpr, np.maximum(right - points.tpr, 0))
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def simultaneous_factor(
    fpr: Floats,
    tpr: Floats,
    low: Floats,
    high: Floats,
    n_pos: float,
    n_neg: float,
    level: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> float:
    """How much wider the band of one curve must be to hold the whole curve at once.

    Positives and negatives are resampled; the factor is the `level` quantile of the greatest distance of a resampled
    curve, in units of the pointwise band's half-width there, over 99 false positive rates. Simulated coverage of 95 %:
    .94–.98.

    Parameters
    ----------
    fpr, tpr, low, high : arrays, shape (points,)
        One curve and its pointwise band, by descending threshold.
    n_pos, n_neg : float
        (Effective) rows of each class.
    level : float
    n_resamples : int
    rng : Generator

    Returns
    -------
    float
        At least 1.
    """
    used = np.unique(np.linspace(0, len(fpr) - 1, min(len(fpr), 300)).astype(int))
    cells = [rate * np.diff(values[used], prepend=0.0) for rate, values in ((n_pos, tpr), (n_neg, fpr))]
    drawn_tpr, drawn_fpr = (_rates(rng.poisson(np.maximum(cell, 0), (n_resamples, len(cell)))) for cell in cells)
    grid = np.linspace(0, 1, 101)[1:-1]
    middle, bottom, top = (np.interp(grid, fpr, values) for values in (tpr, low, high))
    drawn = np.array([np.interp(grid, x, y) for x, y in zip(drawn_fpr, drawn_tpr, strict=True)])
    away = drawn - middle
    half = np.where(away > 0, top - middle, middle - bottom)
    ratio = np.divide(np.abs(away), half, out=np.zeros_like(away), where=half > 1e-12)
    return max(1.0, float(np.quantile(ratio.max(axis=1), level)))


def _rates(counts: NDArray[np.int64]) -> Floats:
    """Cumulated shares of each row of counts."""
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.cumsum(counts, axis=1) / total)


def _interpolated(at: Floats, x: Floats, y: Floats, curve: Ints, outside: float) -> Floats:
    """Curves (x, y) read at `at`; `outside` beyond the end of a curve where it says nothing."""
    good = np.isfinite(x) & np.isfinite(y)
    if not good.any():
        return np.full_like(at, np.nan)
    # at a jump several points share one x: the lower (outside = 0) or the upper end is taken
    order = np.lexsort((y[good], x[good]))
    xs, ys, cs = x[good][order], y[good][order], curve[good][order]
    place = np.searchsorted(xs, at, "left") if outside == 0 else np.searchsorted(xs, at, "right")
    i = np.clip(place, 1, len(xs) - 1)
    same_left, same_right = cs[i - 1] == curve, cs[i] == curve
    gap = xs[i] - xs[i - 1]
    share = np.divide(at - xs[i - 1], gap, out=np.zeros_like(at), where=gap > 0)
    inner = ys[i - 1] + np.clip(share, 0, 1) * (ys[i] - ys[i - 1])
    value = np.where(
        same_left & same_right, inner, np.where(same_left, ys[i - 1], np.where(same_right, ys[i], outside))
    )
    return np.where(np.isfinite(at), value, np.nan)
