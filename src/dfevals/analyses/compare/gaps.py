"""Differences of a number of rows between two models, from the moments that both have together."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.compare.influence import kind_of, unwrapped
from dfevals.estimates.events import rare_classes
from dfevals.inference.clusters import worth_of
from dfevals.metrics.estimands import Mean
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Joint, JointMoments, Moments, Need
from dfevals.roles.bound import Bound
from dfevals.tally import JointMomentTally, MomentTally

__all__ = ["Gaps", "joint_needs", "mean_of", "moments_of"]

Floats = npt.NDArray[np.float64]
ROUNDING = 1e-12  # a spread below this share of the differences is rounding
FEW_MODELS = 12  # beyond, third moments of all of them together would cost more than the comparison


def moments_of(request: Request, bound: Bound) -> Moments:
    """The moments that a metric of moments needs."""
    need = needs_of(request.metric, len(bound.labels), bound.task)[0][0]
    assert isinstance(need, Moments)
    return need


def mean_of(request: Request, bound: Bound) -> Mean | None:
    """What a metric takes the mean of, be it behind a function; None for other metrics of moments."""
    need = moments_of(request, bound)
    base, _ = unwrapped(request.metric(MomentTally.empty(len(need.functions), need.order, 1).view()))
    return base if isinstance(base, Mean) else None


def joint_needs(request: Request, bound: Bound) -> list[Need]:
    """What a paired test of the metric reads of several models together; none where it reads the rows."""
    kind = kind_of(request, len(bound.labels), bound.task)
    if kind == "cells":
        return [Joint()]
    if kind != "moments" or mean_of(request, bound) is None:
        return []
    return [JointMoments(moments_of(request, bound).functions[0], 3 if len(bound.models) <= FEW_MODELS else 2)]


class Gaps:
    """A mean, or a function of one, of two models in every cohort, and the spread of the difference.

    Parameters
    ----------
    request : Request
    tally : JointMomentTally
        Of the cohorts.
    scale : float
        Rows per unit of weight.
    pair : (int, int)
        The two models among those of the tally.
    """

    def __init__(self, request: Request, tally: JointMomentTally, scale: float, pair: tuple[int, int] = (0, 1)) -> None:
        self.request, self.tally, self.scale = request, tally, scale
        size = len(tally.moments.mean)
        one, other = (self._of_model(j, size) for j in pair)
        self.weights = one, other
        self.total = tally.by_cohort()
        self.sides = tuple(request.metric(self.total.combined(w).view()) for w in self.weights)
        self.estimand: Any = self.sides[0]

    @staticmethod
    def _of_model(j: int, size: int) -> Floats:
        """The number of model j from that of the first and its differences to the others."""
        weights = np.eye(size)[0]
        if j:
            weights[j] = -1.0
        return weights

    @cached_property
    def base(self) -> Any:
        """The mean below all functions."""
        return unwrapped(self.estimand)[0]

    @cached_property
    def gap(self) -> MomentTally:
        """Moments of the differences."""
        return self.total.combined(self.weights[0] - self.weights[1])

    @property
    def linear(self) -> bool:
        """Whether it is the mean itself."""
        return isinstance(self.estimand, Mean)

    @property
    def proportion(self) -> bool:
        """Whether it is a mean of numbers that are 0 or 1."""
        return isinstance(self.estimand, Mean) and self.estimand.proportion

    @property
    def values(self) -> tuple[Floats, Floats]:
        """Values of both models."""
        a, b = (np.asarray(side.value, float) for side in self.sides)
        return a, b

    @property
    def support(self) -> Floats:
        """Rows, or weight in units of rows."""
        return self.total.n * self.scale

    def mean(self) -> tuple[Floats, Floats]:
        """Mean difference of independent rows of weight one, and the variance of the differences."""
        n = self.total.n
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, squares = np.where(n > 0, self.gap.mean[0], np.nan), self.gap.central[0]
            small = squares <= n * (ROUNDING * np.abs(mean)) ** 2
            return mean, np.where(small, 0.0, squares) / np.where(n > 1, n - 1, np.nan)

    def skewness(self) -> Floats:
        """Skewness of the mean difference of independent rows of weight one; NaN where it was not collected."""
        if self.gap.order < 3:
            return np.full(self.gap.n_cohorts, np.nan)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(self.gap.central[1] / self.gap.central[0] ** 1.5)

    def cells(self) -> Floats:
        """Of numbers that are 0 or 1: the rows that are 1 for none, the second, the first and both, (4, cohorts)."""
        n, sums = self.total.n, self.total.n * self.total.combined(self.weights[0]).mean[0]
        gap = self.gap.mean[0] * n
        apart = self.gap.central[0] + gap * self.gap.mean[0]
        first, second = (apart + gap) / 2, (apart - gap) / 2
        both = sums - first
        return np.rint(np.stack([n - both - first - second, second, first, both]))

    def same(self) -> npt.NDArray[np.bool_]:
        """Cohorts in which no row tells the models apart."""
        return self.gap.central[0] <= self.total.n * (ROUNDING * np.abs(self.gap.mean[0])) ** 2

    def variance(self, clustered: bool) -> tuple[Floats, Floats]:
        """Variance of the difference and its degrees of freedom: of weighted rows, or of sums over clusters."""
        slopes = [unwrapped(side)[1] for side in self.sides]
        moved = slopes[0] * self.weights[0][:, None] - slopes[1] * self.weights[1][:, None]
        moved = moved / np.where(
            self.total.n > 0, self.total.n, np.nan
        )  # by the weight of a row, per unit of each number
        if clustered:
            return self._of_clusters(moved)
        square = self.total.square or self.total
        with np.errstate(divide="ignore", invalid="ignore"):
            n = self.total.n**2 / square.n
            found = square.spread(self.total.mean, moved)
            return np.where(n > 1, found * n / (n - 1), np.nan), n - 1

    def _of_clusters(self, moved: Floats) -> tuple[Floats, Floats]:
        """Clusters count by the rows of each class that they hold, and by how much these move the difference."""
        moments, cohort, size = self.tally.moments, self.tally.cohort, self.tally.n_cohorts
        sums = moments.clusters
        assert sums is not None
        mean, slope = self.total.mean[:, cohort], np.nan_to_num(moved[:, cohort])
        spread = (moments.square or moments).spread(mean, slope)
        each = np.divide(spread, moments.n, out=np.zeros_like(spread), where=moments.n > 0)
        varies = (
            np.add(*(moments.spread(mean, np.broadcast_to(side[:, None], mean.shape)) for side in self.weights)) > 0
        )  # else no row of them counts
        sums = sums.part(varies[sums.cohort])
        column, weight = sums.cohort, sums.values[0]
        origin = np.zeros(len(mean)) if moments.origin is None else moments.origin
        shift = origin[:, None] - mean[:, column]
        part = (slope[:, column] * (sums.values[1 : 1 + len(mean)] + shift * weight)).sum(axis=0)
        pair, at = np.unique(cohort[column] * max(len(sums.labels), 1) + sums.cluster, return_inverse=True)
        own, total, whole = (np.bincount(at, x, len(pair)) for x in (weight * each[column], weight, part))
        worth = worth_of(own, pair // max(len(sums.labels), 1), size, total)
        return np.where(worth.df > 0, worth.variance(whole), np.nan), worth.df

    def events(self) -> Floats:
        """Effective rows of each class in each cohort; clusters in which it occurs, where rows come in clusters."""
        moments = self.tally.moments
        if moments.clusters is not None:
            found: Floats = np.bincount(moments.clusters.cohort, minlength=moments.n_cohorts).astype(float)
        else:
            square = (moments.square or moments).n
            found = np.divide(moments.n**2, square, out=np.zeros_like(moments.n), where=square > 0)
        out = np.zeros((self.tally.n_classes, self.tally.n_cohorts))
        out[self.tally.y_true, self.tally.cohort] = found
        return out

    def rare(self) -> npt.NDArray[np.bool_]:
        """Cohorts with too few rows of a class for the losses of a classifier."""
        table = self.events()
        return rare_classes(table, table.sum(axis=1) > 0)
