"""Sums over bins of the score per cohort: what binned calibration needs, counted without sorting a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dfevals.tally.ties import BinSums

__all__ = ["BinTally", "Binning"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SLOTS = 1 << 12  # a power of two, so that the slot of a score is exact


class Binning:
    """Finds the cell of a score in [0, 1] between sorted inner edges; a score on an edge belongs to the cell below it."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = np.asarray(edges, float)
        slot = (self.edges * SLOTS).astype(np.int64)
        self._first = np.searchsorted(slot, np.arange(SLOTS + 1)).astype(np.intp)  # edges in the slots below
        self._next = np.append(self.edges, np.inf)
        self._deep = int(np.bincount(slot).max(initial=0))  # edges in one slot, at most

    def __call__(self, score: Floats) -> npt.NDArray[np.intp]:
        """Cell of each score."""
        if self._deep > 3:
            return np.searchsorted(self.edges, score)
        cell = self._first.take((score * SLOTS).astype(np.intp))
        for _ in range(self._deep):
            cell += score > self._next.take(cell)
        return cell


@dataclass
class BinTally:
    """Moments of the score per cohort, cell of the score and outcome.

    `first` (2, cohorts, cells, 2): Σw and Σws; `second` (3, cohorts, cells, 2): Σw², Σw²s, Σw²s², with w² = w where rows
    are not weighted; the last axis is the outcome. `low`, `high` (cohorts, cells): least and greatest score.
    """

    edges: Floats
    first: Floats
    second: Floats
    low: Floats
    high: Floats

    @classmethod
    def empty(cls, edges: Floats, n_cohorts: int) -> BinTally:
        """Without rows."""
        shape = (n_cohorts, len(edges) + 1)
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        return cls(edges, np.zeros((2, *shape, 2)), np.zeros((3, *shape, 2)), low, high)

    @property
    def n_cohorts(self) -> int:
        return len(self.low)

    def add(
        self,
        codes: npt.NDArray[np.intp],
        cell: npt.NDArray[np.intp],
        score: Floats,
        label: npt.NDArray[np.bool_],
        weight: Floats | None,
        square: Floats | None,
    ) -> None:
        """Count rows; `square` is the squared weight where it is not the weight itself."""
        joint = codes * self.low.shape[1]
        joint += cell
        np.minimum.at(self.low.reshape(-1), joint, score)
        np.maximum.at(self.high.reshape(-1), joint, score)
        joint *= 2
        joint += label
        size, shape = self.first[0].size, self.first[0].shape

        def count(values: Floats | None) -> Floats:
            return np.bincount(joint, values, size).reshape(shape)

        weighted = score if weight is None else weight * score
        first = count(weight), count(weighted)
        squared = weighted if square is None else square * score
        second = (*first, count(squared * score)) if square is None else [
            count(square), count(squared), count(squared * score)
        ]  # fmt: skip
        for total, part in zip((*self.first, *self.second), (*first, *second), strict=True):
            total += part

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> BinTally:
        """Sums of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        out, keep = BinTally.empty(self.edges, n_cohorts), cohort_of >= 0
        into = cohort_of[keep]
        for totals, parts in ((out.first, self.first), (out.second, self.second)):
            for total, part in zip(totals, parts, strict=True):
                np.add.at(total, into, part[keep])
        np.minimum.at(out.low, into, self.low[keep])
        np.maximum.at(out.high, into, self.high[keep])
        return out

    def __add__(self, other: BinTally) -> BinTally:
        """Sums of the rows of both; cohorts must be matched before."""
        return BinTally(
            self.edges,
            self.first + other.first,
            self.second + other.second,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )

    def sums(self, edges: Floats) -> BinSums:
        """Sums over the filled bins between some of the edges."""
        starts = np.append(0, np.searchsorted(self.edges, edges) + 1)
        first, second = (np.add.reduceat(part, starts, axis=2) for part in (self.first, self.second))
        n = first[0].sum(axis=-1)
        cohort, cell = np.nonzero(n > 0)
        (square, tilt, bend), at = second, (cohort, cell)
        return BinSums(
            cohort,
            n[at],
            first[0][..., 1][at],
            first[1].sum(axis=-1)[at],
            square.sum(axis=-1)[at],
            np.maximum((tilt - bend).sum(axis=-1), 0)[at],
            np.maximum(bend.sum(axis=-1) + square[..., 1] - 2 * tilt[..., 1], 0)[at],
            np.minimum.reduceat(self.low, starts, axis=1)[at],
            np.maximum.reduceat(self.high, starts, axis=1)[at],
        )
