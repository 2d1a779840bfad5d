"""Rows of every true class in every cohort: the events on which the loss of a classifier rests."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dfevals.tally.cells import CellTally
from dfevals.tally.clusters import ClusterSums

__all__ = ["ClassTally"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass
class ClassTally:
    """Weights of the classes of every cohort: `weight` (K, cohorts), `square` Σw² where rows are weighted."""

    weight: Floats
    square: Floats | None = None
    clusters: ClusterSums | None = None

    @classmethod
    def of_cells(cls, cells: CellTally) -> ClassTally:
        """The true classes of cells that were counted."""
        clusters = cells.clusters
        if clusters is not None:
            clusters = replace(clusters, kind=clusters.kind // cells.n_classes)._summed()
        return cls(cells.weight.sum(axis=1), None if cells.square is None else cells.square.sum(axis=1), clusters)

    @property
    def n_cohorts(self) -> int:
        return self.weight.shape[1]

    @property
    def events(self) -> Floats:
        """Effective number of rows of every class, (K, cohorts): at most the clusters in which it occurs."""
        square = self.weight if self.square is None else self.square
        rows = np.divide(self.weight**2, square, out=np.zeros(self.weight.shape), where=square > 0)
        if self.clusters is None:
            return rows
        joint = self.clusters.kind * self.n_cohorts + self.clusters.cohort
        return np.minimum(rows, np.bincount(joint, minlength=rows.size).reshape(rows.shape))

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> ClassTally:
        """Classes of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        keep = cohort_of >= 0

        def moved(table: Floats) -> Floats:
            sums = [np.bincount(cohort_of[keep], row[keep], n_cohorts) for row in table]
            return np.stack(sums).astype(float, copy=False)  # integers without rows

        clusters = None if self.clusters is None else self.clusters.regroup(cohort_of)
        return ClassTally(moved(self.weight), None if self.square is None else moved(self.square), clusters)

    def relabel(self, place: Ints, n_classes: int) -> ClassTally:
        """The same when class i is class `place[i]` of `n_classes`."""

        def spread(table: Floats) -> Floats:
            out = np.zeros((n_classes, self.n_cohorts))
            out[place] = table
            return out

        clusters = None if self.clusters is None else replace(self.clusters, kind=place[self.clusters.kind])
        return ClassTally(spread(self.weight), None if self.square is None else spread(self.square), clusters)

    def __add__(self, other: ClassTally) -> ClassTally:
        """Classes of both; cohorts and classes must be matched before."""
        square = None
        if self.square is not None or other.square is not None:
            square = (self.weight if self.square is None else self.square) + (
                other.weight if other.square is None else other.square
            )
        both = self.clusters is not None and other.clusters is not None
        clusters = self.clusters.merge(other.clusters) if both else None  # type: ignore[union-attr, arg-type]
        return ClassTally(self.weight + other.weight, square, clusters)

    def outside(self, whole: ClassTally, clusters: ClusterSums | None) -> ClassTally:
        """For every cohort the rows of `whole` (one cohort) that are not in it."""
        square = None
        if self.square is not None and whole.square is not None:
            square = np.maximum(whole.square - self.square, 0)
        return ClassTally(np.maximum(whole.weight - self.weight, 0), square, clusters)
