"""Values of cohorts as strata: their shares, their values, and how each row moves them, from tallies alone.

A cohort's value is a mean: Σ w d x / Σ w d, with d 1 for the rows that the metric counts and x what it averages over them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.delta import matrix_gradient
from dfevals.estimates.estimate import zero_one
from dfevals.metrics.estimands import Mean, Ratio, Through
from dfevals.tally import CellTally, CellView, MomentTally
from dfevals.tally.clusters import ClusterSums

__all__ = ["Strata", "base_of", "of_cells", "of_estimand"]

Floats = npt.NDArray[np.float64]
Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]
PSEUDO = 2.0  # rows spread over what a rate may be, so that a cohort without errors has a variance


@dataclass(frozen=True)
class Strata:
    """Sums over the rows that count, by cohort: `weight` Σw, `square` Σw², `value`, and `spread` Σw²(x − value)².

    `by_cluster` holds the weight and the sum of w (x − value) of every pair of cluster and cohort, (cluster, cohort, sums).
    """

    weight: Floats
    square: Floats
    value: Floats
    spread: Floats
    by_cluster: Pairs | None = None
    pseudo: Floats | None = None  # what pseudo-rows have in the spread, which then needs no correction for the mean

    @property
    def rows(self) -> Floats:
        """Effective number of rows (Kish)."""
        return np.divide(self.weight**2, self.square, out=np.zeros_like(self.weight), where=self.square > 0)

    @property
    def share(self) -> Floats:
        """Of all rows that count."""
        return np.asarray(self.weight / self.weight.sum())

    def signed(self, sign: float) -> Strata:
        """The same of the number times 1 or −1."""
        moved = self.by_cluster
        if moved is not None:
            moved = (moved[0], moved[1], moved[2] * np.array([[1.0], [sign]]))
        return Strata(self.weight, self.square, sign * self.value, self.spread, moved, self.pseudo)

    def taken(self, cohorts: npt.NDArray[np.intp], size: int) -> Strata:
        """The same with cohort i at place `cohorts[i]` of `size`; cohorts without rows have no value."""

        def wide(values: Floats, empty: float) -> Floats:
            out = np.full(size, empty)
            out[cohorts] = values
            return out

        moved = self.by_cluster
        if moved is not None:
            moved = (moved[0], cohorts[moved[1]].astype(np.int64), moved[2])
        sums = (wide(part, 0.0) for part in (self.weight, self.square))
        weight, square = sums
        pseudo = None if self.pseudo is None else wide(self.pseudo, 0.0)
        return Strata(weight, square, wide(self.value, np.nan), wide(self.spread, 0.0), moved, pseudo)

    def variance(self, by_value: Floats, by_share: Floats) -> tuple[float, float]:
        """Variance of a function with these derivatives by the values and by the shares, and its degrees of freedom.

        Values and shares of independent rows do not vary together: values vary within cohorts, shares as a multinomial.
        """
        if self.by_cluster is not None:
            return self._of_clusters(by_value, by_share)
        used = self.weight > 0
        rows, own = self.rows[used], self.of_values[used]
        parts = by_value[used] ** 2 * own
        parts = np.where(by_value[used] == 0, 0.0, parts)
        total = float(parts.sum())
        spread = by_share[used] - float(by_share[used] @ self.share[used])
        between = float((self.square[used] * spread**2).sum() / self.weight.sum() ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            df = total**2 / (parts**2 / np.maximum(rows - 1, 1)).sum() if total > 0 else np.inf
        return total + between, float(df)

    @property
    def of_values(self) -> Floats:
        """Variance of every cohort's value; a mean of one row has the variance of the rows of the others."""
        rows, used = self.rows, self.weight > 0
        own = np.divide(self.spread, self.weight**2, out=np.zeros_like(rows), where=used)
        if self.pseudo is not None:
            return own
        several = rows > 1 + 1e-9
        left = float((rows[several] - 1).sum())
        usual = float((own * rows**2)[several].sum()) / left if left > 0 else np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(several, own * rows / (rows - 1), usual / rows)

    def _of_clusters(self, by_value: Floats, by_share: Floats) -> tuple[float, float]:
        """The same where rows of a cluster depend on each other, also across cohorts: squared sums of influences.

        Residuals are those about the cohort's own value, so they are stretched by its number of clusters; degrees of freedom
        follow from how much of the variance each cluster is expected to make (Satterthwaite).
        """
        assert self.by_cluster is not None
        cluster, cohort, (weight, residual) = self.by_cluster
        used, size = self.weight > 0, len(self.weight)
        slope = np.divide(by_value, self.weight, out=np.zeros_like(by_value), where=used)
        spread = np.where(used, by_share - float(by_share[used] @ self.share[used]), 0.0) / self.weight.sum()
        squares = np.bincount(cohort, weight**2, size)
        number = np.divide(self.weight**2, squares, out=np.zeros(size), where=squares > 0)
        several = number > 1 + 1e-9
        if (used & (slope != 0) & ~several).any():
            return np.nan, 0.0
        stretch = np.sqrt(np.where(several, number / np.where(several, number - 1, 1), 1.0))
        count = int(cluster.max(initial=-1)) + 1
        moved = slope[cohort] * residual * stretch[cohort] + spread[cohort] * weight
        sums = np.bincount(cluster, moved, count)
        usual = np.divide(np.bincount(cohort, residual**2, size), squares, out=np.zeros(size), where=squares > 0)
        made = (slope**2 * usual + spread**2)[cohort] * weight**2
        each = np.bincount(cluster, made, count)
        extra = 0.0 if self.pseudo is None else float((slope**2 * self.pseudo).sum())
        df = float(each.sum() ** 2 / (each**2).sum()) - 1 if (each > 0).any() else np.inf
        return float((sums**2).sum()) + extra, df


def of_estimand(record: Callable[..., Any], tally: Any) -> Strata | None:
    """Strata of a rate of cells or of a mean; None for what is no average over rows."""
    if isinstance(tally, MomentTally):
        return _of_moments(tally) if isinstance(record(tally.view()), Mean) else None
    if not isinstance(tally, CellTally) or not isinstance(record(tally.view()), Ratio):
        return None
    counted, summed = (_slopes(record, part, tally.n_classes) for part in ("den", "num"))
    if not set(np.unique(counted)) <= {0.0, 1.0} or not set(np.unique(summed)) <= {0.0, 1.0}:
        return None
    return of_cells(tally, counted, summed)


def base_of(estimand: Any) -> tuple[Any, Callable[[Any], Any]]:
    """What a metric is a function of, and that function."""
    functions: list[Callable[[Any], Any]] = []
    while isinstance(estimand, Through):
        functions.insert(0, estimand.f)
        estimand = estimand.base

    def applied(value: Any) -> Any:
        for function in functions:
            value = function(value)
        return value

    return estimand, applied


def _slopes(record: Callable[..., Any], part: str, k: int) -> Floats:
    """Which cells the numerator or the denominator of a rate counts, (K, K)."""

    def function(view: CellView) -> Any:
        return getattr(record(view), part)

    return np.asarray(matrix_gradient(function, np.ones((k, k, 1)))[..., 0]).round(12)


def of_cells(tally: CellTally, counted: Floats, number: Floats) -> Strata:
    """Strata of a number of every cell, over the cells that are counted; with pseudo-rows of either kind in the spread."""
    d, x = counted[..., None], number[..., None]
    square = tally.weight if tally.square is None else tally.square
    weight, squares = (tally.weight * d).sum(axis=(0, 1)), (square * d).sum(axis=(0, 1))
    value = np.divide(
        (tally.weight * d * x).sum(axis=(0, 1)), weight, out=np.full(len(weight), np.nan), where=weight > 0
    )
    centre = np.nan_to_num(value)
    middle = float((counted * number).sum() / counted.sum())
    apart = float((counted * (number - middle) ** 2).sum() / counted.sum())
    clusters = None
    if tally.clusters is not None:
        true, pred = np.divmod(tally.clusters.kind, tally.n_classes)
        own = tally.clusters.values[0] * counted[true, pred]
        clusters = _paired(tally.clusters, np.stack([own, own * (number[true, pred] - centre[tally.clusters.cohort])]))
    pseudo = PSEUDO * apart * _size(weight, squares, clusters) ** 2
    spread = (square * d * (x - centre) ** 2).sum(axis=(0, 1)) + pseudo
    return Strata(weight, squares, value, spread, clusters, pseudo)


def _size(weight: Floats, squares: Floats, clusters: Pairs | None) -> Floats:
    """Weight of what stands for itself in every cohort: a row, or the rows of a cluster."""
    if clusters is not None:
        squares = np.asarray(np.bincount(clusters[1], clusters[2][0] ** 2, len(weight)), float)
    return np.divide(squares, weight, out=np.zeros_like(weight), where=weight > 0)


def _of_moments(tally: MomentTally) -> Strata:
    square = tally if tally.square is None else tally.square
    value = tally.view().mean[0]
    spread = np.maximum(square.about(tally.mean)[0], 0)
    clusters = None
    if tally.clusters is not None and tally.origin is not None:
        weight, moved = tally.clusters.values[0], tally.clusters.values[1]
        centre = (tally.mean[0] - tally.origin[0])[tally.clusters.cohort]
        clusters = _paired(tally.clusters, np.stack([weight, moved - centre * weight]))
    n, squares = tally.n.astype(float), square.n.astype(float)
    pseudo = None
    if zero_one(tally):
        pseudo = PSEUDO * 0.25 * _size(n, squares, clusters) ** 2
        spread = spread + pseudo
    return Strata(n, squares, value, spread, clusters, pseudo)


def _paired(sums: ClusterSums, values: Floats) -> Pairs:
    """Sums of every pair of cluster and cohort."""
    width = int(sums.cohort.max(initial=0)) + 1
    pair, place = np.unique(sums.cluster * width + sums.cohort, return_inverse=True)
    cluster, cohort = np.divmod(pair, width)
    added = np.stack([np.asarray(np.bincount(place, row, len(pair)), float) for row in values])
    return cluster, cohort, added
