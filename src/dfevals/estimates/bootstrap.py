"""Bootstrap replicates of tallies: multinomial for cells, resampled weights where rows or clusters are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.bounds import ROUNDING, Bounds
from dfevals.tally import CellTally, ManyCells, ScoreTally
from dfevals.tally.scores import RankSums

__all__ = [
    "bootstrap_bounds",
    "cell_replicates",
    "percentiles",
    "rank_replicates",
    "resampled",
    "row_weights",
    "value_replicates",
]

Floats = npt.NDArray[np.float64]
WRITTEN_OUT = 1 << 20  # rows that frequency weights may stand for when each is drawn as a row
ALIKE = "the resamples are all alike, so the bootstrap has no interval"


def percentiles(replicates: Floats, level: float) -> tuple[Floats, Floats]:
    """Percentile interval over the first axis; undefined replicates are left out."""
    import warnings

    if not len(replicates):  # of nothing numpy gives one number for both ends
        return np.full(replicates.shape[1:], np.nan), np.full(replicates.shape[1:], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all replicates undefined: NaN
        low, high = np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def bootstrap_bounds(replicates: Floats, level: float, few: npt.NDArray[np.bool_]) -> Bounds:
    """Percentile interval; none where all resamples are alike (no event, say), because such rows vary in no resample."""
    low, high = percentiles(replicates, level)
    flat = high - low <= ROUNDING * np.abs(high)
    low, high = (np.where(flat, np.nan, end) for end in (low, high))
    return Bounds(low, high, "bootstrap", few | flat, "rows or events for a bootstrap", (ALIKE,))


def cell_replicates(cells: CellTally | ManyCells, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Cells of resampled rows (or clusters), (K, K, replicates, cohorts).

    Counts are multinomial. With importance weights rows of a cell are not told apart in the tally, so cells are drawn
    with the cell's effective count and scaled. With clusters, clusters are drawn with replacement in each cohort.
    """
    if cells.clusters is not None:
        return _cluster_cells(cells, n_resamples, rng)
    k, cohorts = cells.n_classes, cells.n_cohorts
    weight, square = cells.tables()
    unit = np.divide(square, weight, out=np.ones_like(square), where=weight > 0)
    counts = (weight / unit).reshape(k * k, cohorts)
    out = np.empty((k * k, n_resamples, cohorts))
    left = np.broadcast_to(np.rint(counts.sum(axis=0)).astype(np.int64), (n_resamples, cohorts)).copy()
    mass = counts.sum(axis=0)
    for cell in range(k * k):
        share = np.clip(np.divide(counts[cell], mass, out=np.zeros(cohorts), where=mass > 1e-12), 0, 1)
        drawn = left if cell == k * k - 1 else rng.binomial(left, share)
        out[cell] = drawn
        left = left - drawn
        mass = mass - counts[cell]
    return out.reshape(k, k, n_resamples, cohorts) * unit[:, :, None, :]


def _cluster_cells(tally: CellTally | ManyCells, n_resamples: int, rng: np.random.Generator) -> Floats:
    sums, k, cohorts = tally.clusters, tally.n_classes, tally.n_cohorts
    assert sums is not None
    pair, inverse = np.unique(sums.cohort * len(sums.labels) + sums.cluster, return_inverse=True)
    cohort = pair // max(len(sums.labels), 1)
    slot = sums.kind * cohorts + sums.cohort
    out = np.empty((n_resamples, k * k * cohorts))
    for i in range(n_resamples):
        weight = row_weights(cohort, cohorts, rng)
        out[i] = np.bincount(slot, sums.values[0] * weight[inverse], k * k * cohorts)
    return out.reshape(n_resamples, k, k, cohorts).transpose(1, 2, 0, 3)


def row_weights(
    cohort: npt.NDArray[Any], n_cohorts: int, rng: np.random.Generator, cluster: npt.NDArray[Any] | None = None
) -> Floats:
    """How often each row is drawn when rows (or clusters) are resampled within cohorts; cohorts are sorted."""
    if cluster is not None:
        pair, inverse = np.unique(
            cohort.astype(np.int64) * (int(cluster.max(initial=0)) + 1) + cluster, return_inverse=True
        )
        of = pair // (int(cluster.max(initial=0)) + 1)
        return row_weights(of, n_cohorts, rng)[inverse]
    size = np.bincount(cohort, minlength=n_cohorts)
    start = np.cumsum(size) - size
    drawn = start[cohort] + (rng.random(len(cohort)) * size[cohort]).astype(np.int64)
    return np.bincount(drawn, minlength=len(cohort)).astype(float)


def resampled(
    cohort: npt.NDArray[Any],
    n_cohorts: int,
    rng: np.random.Generator,
    weight: Floats,
    cluster: npt.NDArray[Any] | None = None,
    frequency: bool = False,
) -> Floats:
    """Weights of the rows in one resample of rows or clusters; with frequency weights each equal row is drawn alone.

    As long as they fit, equal rows are drawn as if written out, so that both ways give the same resamples.
    """
    if not frequency or cluster is not None:
        return weight * row_weights(cohort, n_cohorts, rng, cluster)
    if weight.sum() <= WRITTEN_OUT:
        row = np.repeat(np.arange(len(cohort)), weight.astype(np.intp))
        return np.bincount(row, row_weights(cohort[row], n_cohorts, rng), len(cohort)).astype(float)
    out = np.zeros(len(cohort))
    bounds = np.searchsorted(cohort, np.arange(n_cohorts + 1))
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        part = weight[start:stop]
        total = part.sum()
        if total > 0:
            out[start:stop] = rng.multinomial(int(total), part / total)
    return out


def rank_replicates(
    tally: ScoreTally, function: Callable[[RankSums], Floats], n_resamples: int, rng: np.random.Generator
) -> Floats:
    """Values of a function of the rank sums on resampled rows (or clusters), (replicates, cohorts)."""
    columns = tally.unpacked()
    assert columns.score is not None
    cohort = np.repeat(np.arange(tally.n_cohorts), np.diff(tally.offsets))
    base = np.ones(len(cohort)) if columns.weight is None else columns.weight
    out = np.empty((n_resamples, tally.n_cohorts))
    for i in range(n_resamples):
        weight = resampled(cohort, tally.n_cohorts, rng, base, columns.cluster, columns.frequency)
        drawn = weight > 0
        offsets = np.concatenate([[0], np.cumsum(np.bincount(cohort[drawn], minlength=tally.n_cohorts))])
        assert columns.label is not None
        out[i] = function(
            ScoreTally(offsets, None, columns.score[drawn], columns.label[drawn], weight[drawn]).rank_sums()
        )
    return out


def value_replicates(
    resample: Callable[[int, np.random.Generator], float], n_cohorts: int, n_resamples: int, rng: np.random.Generator
) -> Floats:
    """Values of a callable on resampled rows, (replicates, cohorts)."""
    return np.array([[resample(cohort, rng) for cohort in range(n_cohorts)] for _ in range(n_resamples)]).reshape(
        n_resamples, n_cohorts
    )
