"""Shares of each true class in confusion cells, with intervals that allow for weights and clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.inference.levels import normal_quantile, t_quantile
from dfevals.inference.proportions import wilson
from dfevals.tally import CellTally, ManyCells
from dfevals.tally.clusters import ClusterSums

__all__ = ["class_shares"]

Floats = npt.NDArray[np.float64]
ROUNDING = 1e-9  # variances below this part of a binomial one are rounding: the share is 0 or 1


def class_shares(tally: CellTally | ManyCells, level: float) -> tuple[Floats, Floats, Floats]:
    """Share of every true class that is predicted as each class, and Wilson bounds at the effective number of rows.

    Parameters
    ----------
    tally : CellTally or ManyCells
    level : float

    Returns
    -------
    tuple of ndarray (K, K, cohorts)
        Shares in [0, 1], lower and upper bounds; NaN where a class does not occur.
    """
    weight, square = tally.tables()
    total = weight.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = weight / total
        plain = tally.square is None and tally.clusters is None
        n = np.broadcast_to(total, share.shape) if plain else _effective(tally, square, share, total, level)
        found: Any = wilson(share * n, n, level)
    return share, np.asarray(found.ci_low, float), np.asarray(found.ci_high, float)


def _effective(tally: Any, square: Floats, share: Floats, total: Floats, level: float) -> Floats:
    """Number of independent rows of equal weight that would make the variance of each share."""
    kish = total**2 / square.sum(axis=1, keepdims=True)
    factor: Any = 1.0
    if tally.clusters is None:
        variance = (square * (1 - 2 * share) + share**2 * square.sum(axis=1, keepdims=True)) / total**2
        most = kish
    else:
        variance, clusters = _clustered(tally.clusters, share, total)
        kish, most = np.minimum(kish, clusters), np.full_like(clusters, np.inf)
        factor = (normal_quantile(level) / t_quantile(level, np.maximum(clusters - 1, 1))) ** 2  # z² / n as t² / n
    inner = share * (1 - share)
    some = variance > ROUNDING * inner
    return np.where(some & (inner > 0), np.fmin(inner / variance, most), kish) * factor


def _clustered(sums: ClusterSums, share: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Liang–Zeger variance of each share, and the clusters that hold rows of each class, (K, 1, cohorts)."""
    k, _, n = share.shape
    true, weight = sums.kind // k, sums.values[0]
    owner = (sums.cluster * k + true) * n + sums.cohort
    names, place = np.unique(owner, return_inverse=True)
    of_class: Floats = np.asarray(np.bincount(place, weight, len(names)), float)
    size = k * n

    def per_class(values: Floats) -> Floats:
        at = (names // n % k) * n + names % n
        return np.asarray(np.bincount(at, values, size), float).reshape(k, 1, n)

    def per_cell(values: Floats) -> Floats:
        return np.asarray(np.bincount(sums.kind * n + sums.cohort, values, k * size), float).reshape(k, k, n)

    clusters = per_class(np.ones(len(names)))
    own, joint, every = per_cell(weight**2), per_cell(weight * of_class[place]), per_class(of_class**2)
    moved = own - 2 * share * joint + share**2 * every
    return moved / total**2 * clusters / np.maximum(clusters - 1, 1), clusters
