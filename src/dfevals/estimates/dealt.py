"""How a difference would vary if all rows, or clusters of rows, were dealt to both sides by chance.

Where a handful of rows makes the difference, the variances of the two sides tell little: a cohort without one of the rare
great losses has a small mean *and* a small variance. What all rows together show does not depend on which side they fell:
the variance and the skewness of the difference in a permutation of the rows. Its distribution is close to a gamma
distribution on the side of the long tail, and to Cornish and Fisher's expansion on the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.delta import Gradient, moment_variance
from dfevals.inference.levels import normal_quantile
from dfevals.metrics.estimands import SmoothMoments
from dfevals.tally import CellTally, ManyCells, MomentTally

__all__ = ["Side", "of_all_rows", "permuted", "skewness", "sum_of"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """Mean and its variance; second and third central moments of a row, and how many independent rows there are."""

    mean: Floats
    variance: Floats
    df: Floats
    second: Floats
    third: Floats
    n: Floats

    @classmethod
    def of_moments(cls, tally: MomentTally) -> Side:
        """The mean of the first number of a tally."""
        moments, n = tally.view(), tally.n
        mean, second = moments.mean[0], moments.central(2)
        if tally.square is None and tally.clusters is None:
            third = moments.central(3) if tally.order > 2 else np.full_like(mean, np.nan)
            return cls(mean, second / np.where(n > 1, n - 1, np.nan), n - 1, second, third, n)
        variance, df = moment_variance(SmoothMoments(moments, lambda means, _: means[0]))
        sizes, squares, cubes = _of_clusters(tally) if tally.clusters is not None else _of_weights(tally)
        rows, second, third = _equal(n, sizes, squares, cubes)
        return cls(mean, np.where(df > 0, variance, np.nan), df, second, third, rows)

    @classmethod
    def of_share(cls, k: Floats, n: Floats) -> Side:
        """A share of rows."""
        share = k / n
        second = share * (1 - share)
        return cls(share, second / (n - 1), n - 1, second, second * (1 - 2 * share), n)

    @classmethod
    def of_smooth(cls, estimand: SmoothMoments) -> Side:
        """A function of moments, by the influence of a row.

        The skewness of squares is 1.6 √k for normal numbers, √k for rare ones (k: kurtosis).
        """
        variance, df = moment_variance(estimand)
        tally = estimand.moments.tally
        own, rows = (variance, df) if tally.clusters is None else moment_variance(_without_clusters(estimand))
        second = own * rows
        side = -1.0 if estimand.scale in ("log1m", "fisher") else 1.0
        third = side * 1.6 * np.sqrt(0.0 if estimand.kurtosis is None else estimand.kurtosis) * second**1.5
        return cls(estimand.value, variance, df, second, third, rows + 1)

    @classmethod
    def of_cells(cls, value: Floats, slopes: Gradient, whole: Floats, tally: CellTally | ManyCells) -> Side:
        """A function of confusion cells, by its derivative at the cells of all rows, which weigh `whole`."""
        weight = tally.total
        if tally.clusters is not None:
            sums = tally.clusters
            true, pred = np.divmod(sums.kind, tally.n_classes)
            moved = slopes.at(true, pred, sums.cohort) * sums.values[0]
            sizes, _ = sums.powers(sums.values[0], tally.n_cohorts)
            squares, cubes = sums.powers(moved, tally.n_cohorts)
        else:
            sizes, squares, cubes = (tally.powers(slopes, power) for power in (0, 2, 3))
            cubes = cubes * np.divide(sizes, weight, out=np.zeros_like(weight), where=weight > 0)
        rows, second, third = _equal(weight, sizes, squares * whole**2, cubes * whole**3)
        return cls(value, second / (rows - 1), rows - 1, second, third, rows)


def _without_clusters(estimand: SmoothMoments) -> SmoothMoments:
    return replace(estimand, moments=replace(estimand.moments.tally, clusters=None).view(), memo={})


def _equal(weight: Floats, sizes: Floats, squares: Floats, cubes: Floats) -> tuple[Floats, Floats, Floats]:
    """Number of equal rows that would vary as much, and their second and third moments.

    From the weight of all and sums over independent rows or clusters: Σ w², and Σ of their squared and cubed deviations.
    """
    rows = np.where(weight > 0, weight**2 / sizes, 0.0)
    return rows, squares / weight**2 * rows, cubes / weight**3 * rows**2


def _of_clusters(tally: MomentTally) -> tuple[Floats, Floats, Floats]:
    assert tally.clusters is not None
    assert tally.origin is not None
    sums, n = tally.clusters, tally.n_cohorts
    sizes, _ = sums.powers(sums.values[0], n)
    moved = sums.values[1] - (tally.mean[0] - tally.origin[0])[sums.cohort] * sums.values[0]
    return sizes, *sums.powers(moved, n)


def _of_weights(tally: MomentTally) -> tuple[Floats, Floats, Floats]:
    """Cubes of weights are not known: as of log-normal ones."""
    assert tally.square is not None
    about, sizes = tally.square.about(tally.mean), tally.square.n
    cubes = about[1] * sizes**2 * tally.rows / tally.n**3 if tally.order > 2 else np.full_like(sizes, np.nan)
    return sizes, about[0], cubes


def skewness(a: Side, b: Side) -> Floats:
    """Skewness of the difference of two means where both sides have the skewness and variance of all rows.

    The sides' own third moments are too noisy: of equal sizes, where skewness cancels, they would break Welch's level.
    """
    cubes, squares = sum_of(a.third * a.n, b.third * b.n), sum_of(a.second * a.n, b.second * b.n)
    total = cubes / squares**1.5 * np.sqrt(a.n + b.n)
    return np.asarray(total * (1 / a.n**2 - 1 / b.n**2) / (1 / a.n + 1 / b.n) ** 1.5)


def sum_of(a: Floats, b: Floats) -> Floats:
    """Sum over both sides; a side without rows adds nothing."""
    return np.asarray(np.nan_to_num(a) + np.nan_to_num(b))


def of_all_rows(a: Side, b: Side, gap: Floats | float) -> Floats:
    """Standard error of the difference when all rows are dealt to both sides by chance.

    Rows that are not independent count as many as they are worth: the design effect of both sides together. `gap` is
    the difference of the means about which the sides' moments were taken, 0 where both were taken about one.
    """
    n = a.n + b.n
    squares = sum_of(a.second * a.n, b.second * b.n) + a.n * b.n / n * gap**2
    effect = sum_of(*(side.n * (side.n - 1) * side.variance / side.second for side in (a, b))) / n
    return np.asarray(np.sqrt(squares / (n - 1) * (1 / a.n + 1 / b.n) * np.maximum(effect, 1)))


def permuted(gap: Floats, se: Floats, skew: Floats, level: float) -> tuple[Any, ...]:
    """Bounds, statistic and p by the distribution of a permutation, of which the skewness is known."""
    from scipy.special import gammaincc, gammainccinv, ndtr

    sign, size = np.where(skew < 0, -1.0, 1.0), np.maximum(np.abs(skew), 1e-3)
    shape, bend = 4 / size**2, np.minimum(size, 1) / 6
    t = gap / se * sign  # the long tail is above 0
    longer = gammaincc(shape, np.maximum(shape + t * np.sqrt(shape), 0))
    shorter = ndtr(t - bend * (t**2 - 1))
    p = np.minimum(2 * np.where(t > 0, longer, shorter), 1)
    far = (gammainccinv(shape, (1 - level) / 2) - shape) / np.sqrt(shape)
    near = (np.sqrt(1 + 4 * bend * (bend + normal_quantile(level))) - 1) / (2 * bend)
    above, below = np.where(sign > 0, far, near), np.where(sign > 0, near, far)
    return gap - above * se, gap + below * se, gap / se, p
