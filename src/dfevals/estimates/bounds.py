"""What an interval is, and what the interval of a function of confusion cells reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally import CellTally, CellView, ManyCells, MarginView
from dfevals.tally.clusters import ClusterSums

__all__ = ["ROUNDING", "Bounds", "CellContext", "cells_worth", "rows_worth"]

Floats = npt.NDArray[np.float64]
CHANCE = 1.645  # one-sided 95% quantile, for F ratios as 1 + z √(2 / df)
ROUNDING = 1e-13  # of a value: less spread than this is rounding


@dataclass(frozen=True)
class Bounds:
    """An interval for every cohort (and class): bounds and the method's name.

    `few` marks intervals on too few events to hold their level, unless the method `holds` it with few events too.
    `clusters` is the effective number of clusters on which they rest.
    """

    low: Floats
    high: Floats
    method: str
    few: npt.NDArray[np.bool_] | None = None
    few_text: str = ""
    notes: tuple[str, ...] = ()
    n_eff: Floats | None = None
    variance: Floats | None = field(default=None, repr=False)
    holds: bool = False
    clusters: Floats | None = None


@dataclass(frozen=True)
class CellContext:
    """What the interval of a function of the cells needs besides its value: the cells and the function itself.

    `memo` keeps what does not depend on the level, for intervals of the same metric and cells at other levels.
    """

    tally: CellTally | ManyCells
    view: CellView | MarginView
    function: Callable[[Any], Any]
    whole: bool
    range: tuple[float, float]
    memo: dict[str, Any] = field(default_factory=dict, repr=False)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What was made by this name, or make it now."""
        if name not in self.memo:
            self.memo[name] = make()
        return self.memo[name]

    @property
    def plain(self) -> bool:
        """Whether the cells are counts of independent rows."""
        return self.tally.square is None and self.tally.clusters is None

    @property
    def pseudo_row(self) -> Floats:
        """Weight of a pseudo-row: Σw² / Σw, which is 1 without weights; that of more rows where those of a cluster are alike."""
        tally = self.tally
        total, square = tally.total, tally.total_square
        size = np.divide(square, total, out=np.ones_like(total), where=total > 0)
        if tally.clusters is None:
            return size
        return size / cells_worth(tally.clusters, total, square)

    @cached_property
    def worth(self) -> Floats:
        """Independent rows that a row of dependent clusters is worth for accuracy; 1 without clusters."""
        tally, view = self.tally, self.tally.view()
        if tally.clusters is None:
            return np.ones_like(tally.total)
        sums = tally.clusters
        true, pred = np.divmod(sums.kind, tally.n_classes)
        with np.errstate(divide="ignore", invalid="ignore"):
            right = view.correct / view.n
            moved = ((true == pred) - right[sums.cohort]) * sums.values[0]
            variance, df = sums.robust(moved, len(right), sums.values[0])
            return rows_worth(
                right * (1 - right) * tally.total_square, variance, df + 1, view.n**2 / tally.total_square
            )


def cells_worth(sums: ClusterSums, total: Floats, square: Floats) -> Floats:
    """Independent rows that a row of dependent clusters is worth for the cells, by what they show beyond chance.

    Pseudo-rows are spread over all cells, so rows are alike that share a cell, not only whether they are right: by the
    latter, the pseudo-rows of a good model grow to whole clusters and draw its interval below the truth. The design
    effect is that of the F ratio between clusters (Rao and Scott's average over the cells) at its lower 95% bound, which
    is the size of the clusters where all rows of each share a cell. `total` and `square` are Σw and Σw² per cohort.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share, variance, df = sums.spread(len(total))
        most = np.fmax(total**2 / square / (df + 1), 1)
        effect = np.minimum(variance / (share * square), most)
        ratio = effect * (most - 1) / (most - effect) / (1 + CHANCE * np.sqrt(2 / df))
        effect = 1 / ((most - 1) / (ratio * most) + 1 / most)
        return np.asarray(1 / np.where(np.isnan(effect), most, np.maximum(effect, 1)))


def rows_worth(naive: Floats, clustered: Floats, clusters: Floats, rows: Floats) -> Floats:
    """Independent rows that a row of dependent clusters is worth.

    Variance of as many independent `rows` by that of the clusters; where nothing varies, clusters by rows.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        varies = (naive > ROUNDING * clustered) & (clustered > ROUNDING * naive)
        worth = np.fmin(np.where(varies, naive / clustered, clusters / rows), 1)
        return np.asarray(np.where(worth > 0, worth, 1.0))
