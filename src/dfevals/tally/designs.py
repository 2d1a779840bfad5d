"""How much less a row of a cluster tells than an independent row: design effects of what is read from sorted scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dfevals.inference.clusters import worth_of
from dfevals.inference.levels import normal_quantile, t_quantile

if TYPE_CHECKING:
    from dfevals.tally.scores import ScoreTally

__all__ = ["DesignEffects", "design_effects"]

Floats = npt.NDArray[np.float64]
GROUPS = 10  # groups of equal numbers of rows, by score


@dataclass(frozen=True)
class DesignEffects:
    """Cluster-robust variance over that of independent rows, per cohort, at least 1.

    `pos`, `neg`: share of a class that scores above a threshold; `above`: share of positives among the rows that score
    above one; `near`: share of positives among rows of similar score. Each is pooled over thresholds, or groups, that cut
    the rows into ten parts (Kish 1965; Liang and Zeger 1986).
    """

    pos: Floats
    neg: Floats
    above: Floats
    near: Floats

    @property
    def greatest(self) -> Floats:
        """The greatest of them."""
        return np.maximum.reduce([self.pos, self.neg, self.above, self.near])


def design_effects(tally: ScoreTally) -> DesignEffects:
    """Design effects of every cohort; ones where rows are independent."""
    out = np.ones((4, tally.n_cohorts))
    if tally.cluster is not None:
        for cohort in range(tally.n_cohorts):
            rows = slice(int(tally.offsets[cohort]), int(tally.offsets[cohort + 1]))
            if rows.stop - rows.start > 1:
                out[:, cohort] = _of_cohort(tally, rows)
    return DesignEffects(*out)


def _of_cohort(tally: ScoreTally, rows: slice) -> list[float]:
    assert tally.cluster is not None
    assert tally.label is not None
    assert tally.score is not None
    label, size = tally.label[rows], rows.stop - rows.start
    weight = np.ones(size) if tally.weight is None else tally.weight[rows]
    square = weight if tally.frequency else weight * weight
    names, cluster = np.unique(tally.cluster[rows], return_inverse=True)
    first = _first_equal(tally.score[rows])
    if tally.frequency:  # as many rows lie below as their weights say
        below = np.concatenate([[0], np.cumsum(weight)]).astype(np.int64)
        first, size = below[first], max(int(below[-1]), 1)
    group = np.minimum(first * GROUPS // size, GROUPS - 1)
    place = (cluster * GROUPS + group) * 2 + label

    def table(values: Floats) -> Floats:
        return np.asarray(np.bincount(place, values, len(names) * GROUPS * 2), float).reshape(-1, GROUPS, 2)

    sums, squares = table(weight), table(square).sum(axis=0)
    above, squares_above = (np.cumsum(x[..., ::-1, :], axis=-2)[..., ::-1, :] for x in (sums, squares))
    found = [_of_class(above[:, :, side], squares_above[:, side]) for side in (1, 0)]
    whole = sums.sum(axis=(1, 2))
    total = float(squares.sum())
    return [*found, _of_rate(above, squares_above, whole, total), _of_rate(sums, squares, whole, total)]


def _first_equal(score: Floats) -> npt.NDArray[np.int64]:
    """Place of the first row with the same score: equal scores fall into one group, so that row order is irrelevant."""
    new = np.append(True, score[1:] != score[:-1])
    return np.maximum.accumulate(np.where(new, np.arange(len(score)), 0))


def _of_class(above: Floats, square: Floats) -> float:
    """Of the share of a class above the thresholds; column 0 holds the whole class."""
    whole, whole_square = above[:, 0], square[0]
    total = whole.sum()
    if total <= 0:
        return 1.0
    rate = above.sum(axis=0) / total
    move = above - rate * whole[:, None]
    plain = square * (1 - rate) ** 2 + (whole_square - square) * rate**2
    return _ratio(move, plain, whole, float(whole_square))


def _of_rate(sums: Floats, square: Floats, size: Floats, whole_square: float) -> float:
    """Of the share of positives in groups of rows, of clusters that are `size` large."""
    total = sums.sum(axis=0)
    n = total.sum(axis=-1)
    rate = np.divide(total[:, 1], n, out=np.zeros_like(n), where=n > 0)
    move = sums[..., 1] - rate * sums.sum(axis=-1)
    plain = square[:, 1] * (1 - rate) ** 2 + square[:, 0] * rate**2
    return _ratio(move, plain, size, whole_square)


def _ratio(move: Any, plain: Floats, size: Floats, square: float) -> float:
    """Variance by clusters over that of rows; few clusters count by their quantile of t for less (at 95%).

    Where nothing varies, rows per cluster: `square` is Σw² of the rows.
    """
    worth = worth_of(size, np.zeros(len(size), np.intp), 1)
    if not worth.df[0]:
        return 1.0
    if plain.sum() <= 0:
        return max(float(size.sum() ** 2 / square / worth.effective[0]), 1.0) if square > 0 else 1.0
    few = float(t_quantile(0.95, worth.df[0]) / normal_quantile(0.95)) ** 2
    return max(few * float(np.nansum((move * worth.factor[:, None]) ** 2) / plain.sum()), 1.0)
