"""Metrics that need the rows themselves: order statistics and any callable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.metrics.estimands import Value
from dfevals.tally.table import RowTally

__all__ = ["on_rows", "order_statistic", "weighted_quantile"]

Array = npt.NDArray[Any]
SCORE_NAMES = ("y_score", "y_prob", "y_proba", "y_scores", "probas_pred", "pred_decision")


class on_rows:
    """A function of the rows of every cohort from `f(y_true, y_pred, sample_weight=None)`; pickles if `f` does.

    A second parameter called `y_score` (or `y_proba`, ...) gets the score instead of the prediction. An exception
    in `f` is the reason of a NaN.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        try:
            parameters = list(inspect.signature(f).parameters)
        except (TypeError, ValueError):
            parameters = ["y_true", "y_pred"]
        self.f, self.__doc__ = f, f.__doc__
        self.second = "y_score" if len(parameters) > 1 and parameters[1] in SCORE_NAMES else "y_pred"
        self.weighted = "sample_weight" in parameters

    def call(self, columns: dict[str, Array], frequency: bool = False) -> tuple[float, str]:
        """The number of these rows, and why it is missing."""
        if frequency:
            columns = _repeated(columns, self.weighted)
        if len(columns["y_true"]) == 0:
            return np.nan, "no rows"
        if self.second not in columns:
            return np.nan, f"needs {self.second}, which the roles do not give"
        weight = columns.get("sample_weight")
        extra = {"sample_weight": weight} if weight is not None and self.weighted else {}
        if weight is not None and not self.weighted:
            return np.nan, "the function takes no sample_weight but the rows are weighted"
        try:
            return float(self.f(columns["y_true"], columns[self.second], **extra)), ""
        except Exception as error:  # a user's function may raise anything; the reason is shown in place
            return np.nan, f"{type(error).__name__}: {error}"[:200]

    def __call__(self, rows: RowTally) -> Value:
        """The estimand of every cohort."""
        every = [self.call(rows.rows(i), rows.frequency) for i in range(rows.n_cohorts)]

        def resample(cohort: int, rng: np.random.Generator) -> float:
            columns = _repeated(rows.rows(cohort), False) if rows.frequency else rows.rows(cohort)
            draw = _drawn(len(columns["y_true"]), columns.get("cluster"), rng)
            return self.call({name: values[draw] for name, values in columns.items()})[0]

        return Value(
            np.array([value for value, _ in every]),
            _counts(rows),
            reasons=tuple(reason for _, reason in every),
            method="none",
            resample=resample,
        )


def _repeated(columns: dict[str, Array], weighted: bool) -> dict[str, Array]:
    """Rows with a frequency weight as often as it says, or (for a function that takes weights) those that occur."""
    count = np.asarray(columns["sample_weight"], np.int64)
    if weighted:
        return {name: values[count > 0] for name, values in columns.items()}
    return {name: np.repeat(values, count, axis=0) for name, values in columns.items() if name != "sample_weight"}


def _drawn(n: int, cluster: Array | None, rng: np.random.Generator) -> Array:
    """Places of rows drawn with replacement, or of all rows of clusters so drawn."""
    if cluster is None or n == 0:
        return rng.integers(0, max(n, 1), n)
    code, names = pd.factorize(cluster)
    rows = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])
    return np.concatenate([rows[i] for i in rng.integers(0, len(names), len(names))])


def _counts(rows: RowTally) -> Array:
    """Rows of every cohort, counted as often as frequency weights say."""
    sizes = np.diff(rows.offsets)
    if not rows.frequency:
        return sizes.astype(float)
    cohort = np.repeat(np.arange(rows.n_cohorts), sizes)
    return np.bincount(cohort, rows.columns["sample_weight"], rows.n_cohorts)


def order_statistic(rows: RowTally, value: Callable[[dict[str, Array]], Array], q: float) -> Value:
    """Quantile `q` of a number of the rows, with the order-statistic interval (Hahn and Meeker 1991, 5.2).

    The interval needs no assumption about the distribution; its bounds are two of the values. Where no pair of
    order statistics reaches the level, the bound is the extreme value and the coverage is less.
    """
    parts = [
        _Sorted.of(value(columns), columns.get("sample_weight"), rows.frequency, columns.get("cluster"))
        for columns in _each(rows)
    ]
    weighted = any(part.cluster is not None or (part.weight is not None and not part.frequency) for part in parts)
    values = np.array([part.quantile(q) for part in parts])
    sizes = np.array([part.size for part in parts], float)
    effective = np.array([part.effective(q) for part in parts], float)

    def bounds(level: float) -> tuple[Array, Array]:
        ranks = _binomial_ranks(effective, q, level)
        found = np.array([part.bounds(*ends) for part, *ends in zip(parts, *ranks, effective, strict=True)]).reshape(
            -1, 2
        )
        return np.minimum(found[:, 0], values), np.maximum(found[:, 1], values)  # of few values, an interpolated one

    return Value(
        values,
        sizes,
        "no values",
        bounds=bounds,
        method="order statistics" + (" at the effective n" if weighted else ""),
        resample=lambda cohort, rng: parts[cohort].resampled(rng).quantile(q),
        events=effective * min(q, 1 - q),
    )


def _binomial_ranks(n: Array, q: float, level: float) -> Array:
    """Ranks (from 0) of the order statistics on either side of the quantile, (2, cohorts).

    The number of values below the quantile is binomial, so each side misses with at most half of 1 − level; for an
    effective number of rows, which need not be whole, by its normal approximation.
    """
    from scipy.special import bdtr, bdtrik, ndtri

    tail = (1 - level) / 2
    half = float(ndtri(1 - tail)) * np.sqrt(n * q * (1 - q))
    low, high = np.floor(n * q - half), np.ceil(n * q + half) + 1
    whole = (n >= 1) & (n == np.rint(n))
    if whole.any() and 0 < q < 1:
        size = n[whole]
        for edge, p in ((low, tail), (high, 1 - tail)):
            found = np.ceil(bdtrik(p, size, q))  # least k with P(B ≤ k) ≥ p
            found = np.where((found > 0) & (bdtr(np.maximum(found - 1, 0), size.astype(int), q) >= p), found - 1, found)
            edge[whole] = np.nan_to_num(found)
        high[whole] += 1
    return np.stack([low - 1, high - 1])


def _each(rows: RowTally) -> Iterator[dict[str, Array]]:
    return (rows.rows(i) for i in range(rows.n_cohorts))


@dataclass(frozen=True)
class _Sorted:
    """Values in ascending order, perhaps with weights; with frequency weights, values that stand for several rows."""

    x: Array
    weight: Array | None
    frequency: bool
    cluster: Array | None = None

    @classmethod
    def of(cls, values: Array, weight: Array | None, frequency: bool, cluster: Array | None = None) -> _Sorted:
        """Known values, sorted; importance weights that are all equal say nothing."""
        x = np.asarray(values, float)
        keep = ~np.isnan(x)
        if weight is not None:
            keep &= weight > 0
        order = np.flatnonzero(keep)[np.argsort(x[keep], kind="stable")]
        weight = None if weight is None else weight[order]
        if weight is not None and not frequency and (len(weight) == 0 or np.ptp(weight) <= 1e-12 * weight[0]):
            weight = None
        return cls(x[order], weight, frequency, None if cluster is None else cluster[order])

    @property
    def size(self) -> float:
        """Number of rows."""
        return float(self.weight.sum()) if self.frequency and self.weight is not None else float(len(self.x))

    def ranked(self, rank: float) -> float:
        """The value of a rank from 0 (cut to the ranks there are)."""
        rank = min(max(rank, 0), self.size - 1)
        if self.weight is None:
            return float(self.x[int(rank)])
        return float(self.x[np.searchsorted(np.cumsum(self.weight), rank, "right")])

    def quantile(self, q: float) -> float:
        """Interpolated between ranks; the averaged inverse of the distribution function with importance weights."""
        if len(self.x) == 0:
            return np.nan
        if self.weight is None:
            return float(np.quantile(self.x, q))
        if not self.frequency:
            return weighted_quantile(self.x, self.weight, q)
        rank = (self.size - 1) * q
        below = self.ranked(np.floor(rank))
        return below + (self.ranked(np.floor(rank) + 1) - below) * (rank % 1)

    def effective(self, q: float) -> float:
        """Number of rows; Kish's effective number with importance weights; with clusters the number of independent rows
        that would know the share below the quantile as well (Woodruff 1952).
        """
        if self.cluster is not None:
            return self._clustered(q)
        if self.weight is None or self.frequency:
            return self.size
        squares = float((self.weight**2).sum())
        return float(self.weight.sum() ** 2 / squares) if squares > 0 else 0.0

    def _clustered(self, q: float) -> float:
        weight = np.ones(len(self.x)) if self.weight is None else self.weight
        place, names = pd.factorize(np.asarray(self.cluster))
        clusters = len(names)
        if clusters < 2:
            return float(clusters)
        below = self.x <= self.quantile(q)
        share = weight[below].sum() / weight.sum()
        move = np.bincount(place, weight * (below - share), clusters)
        variance = (move**2).sum() / weight.sum() ** 2 * clusters / (clusters - 1)
        return float(share * (1 - share) / variance) if variance > 0 else float(clusters)

    def bounds(self, low: float, high: float, n: float) -> tuple[float, float]:
        """The values of two ranks (from 0) of `n` rows, which are shares of it with importance weights or clusters."""
        if n == 0 or max(len(self.x), self.size) < 2:
            return np.nan, np.nan
        if self.cluster is None and (self.weight is None or self.frequency):
            return self.ranked(low), self.ranked(high)
        edges = (float(np.clip((edge + 1) / n, 0, 1)) for edge in (low, high))
        weight = np.ones(len(self.x)) if self.weight is None else self.weight
        return tuple(weighted_quantile(self.x, weight, edge) for edge in edges)  # type: ignore[return-value]

    def resampled(self, rng: np.random.Generator) -> _Sorted:
        """As many rows drawn with replacement."""
        if len(self.x) == 0:
            return self
        if self.frequency and self.weight is not None:
            weight = rng.multinomial(int(self.size), self.weight / self.size).astype(float)
            return _Sorted(self.x[weight > 0], weight[weight > 0], True)
        draw = np.sort(_drawn(len(self.x), self.cluster, rng))
        return _Sorted(self.x[draw], None if self.weight is None else self.weight[draw], False)


def weighted_quantile(x: Array, weight: Array, q: float) -> float:
    """Quantile of weighted values in ascending order: the averaged inverse of the distribution function."""
    cumulative = np.cumsum(weight)
    if cumulative[-1] <= 0:
        return np.nan
    target = q * cumulative[-1]
    at = int(np.searchsorted(cumulative, target, "left"))
    at = min(at, len(x) - 1)
    on_edge = np.isclose(cumulative[at], target, rtol=1e-12, atol=0)
    following = at + 1
    while on_edge and following < len(x) and weight[following] == 0:
        following += 1
    return float((x[at] + x[following]) / 2) if on_edge and following < len(x) else float(x[at])
