"""Counts per y_true × y_pred × cohort, and the one view of them that every confusion metric reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally.clusters import ClusterSums
from dfevals.tally.many_cells import FEW_CLASSES, Kind, ManyCells

__all__ = ["CellTally", "CellView"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class CellView:
    """tp, fp, fn, tn of one class against the rest, in the shape the question asks for.

    `kind` is "binary" (the second label is positive; arrays have the shape of the cohorts), "classes" (a leading
    class axis) or "micro" (summed over classes). `matrix` has shape (K, K, ..., cohorts).
    """

    matrix: Array
    kind: Kind = "binary"

    @property
    def n(self) -> Array:
        """Weight of all rows."""
        return self.matrix.sum(axis=(0, 1))

    @property
    def tp(self) -> Array:
        if self.kind == "binary":
            return self.matrix[1, 1]
        return self._fold(self.diagonal)

    @property
    def fp(self) -> Array:
        if self.kind == "binary":
            return self.matrix[0, 1]
        return self._fold(_off_diagonal(self.matrix))

    @property
    def fn(self) -> Array:
        if self.kind == "binary":
            return self.matrix[1, 0]
        return self._fold(_off_diagonal(self.matrix.swapaxes(0, 1)))

    @property
    def tn(self) -> Array:
        if self.kind == "binary":
            return self.matrix[0, 0]
        return self._fold(_outside(self.matrix))

    @property
    def diagonal(self) -> Array:
        """Weight of the rows of each class that are right, (K, ..., cohorts)."""
        return np.moveaxis(np.diagonal(self.matrix), -1, 0)

    @property
    def correct(self) -> Array:
        """Weight of the rows on the diagonal."""
        return np.diagonal(self.matrix).sum(axis=-1)

    @property
    def true_totals(self) -> Array:
        """Weight of each true class, (K, ..., cohorts)."""
        return self.matrix.sum(axis=1)

    @property
    def pred_totals(self) -> Array:
        """Weight of each predicted class, (K, ..., cohorts)."""
        return self.matrix.sum(axis=0)

    def distance(self, power: int) -> Array:
        """Σ |i − j|^power · cell."""
        classes = np.arange(len(self.matrix))
        steps = np.abs(classes[:, None] - classes[None, :])
        apart = steps**power if power else (steps > 0).astype(float)
        return (apart.reshape(*apart.shape, *([1] * (self.matrix.ndim - 2))) * self.matrix).sum(axis=(0, 1))

    def _fold(self, totals: Array) -> Array:
        return totals.sum(axis=0) if self.kind == "micro" else totals


def _off_diagonal(matrix: Array) -> Array:
    """Sums over the first axis without the diagonal: a total less the diagonal would lose small weights beside great ones."""
    out = np.empty(matrix.shape[1:], matrix.dtype)
    for k in range(len(matrix)):
        np.add(matrix[:k, k].sum(axis=0), matrix[k + 1 :, k].sum(axis=0), out=out[k])
    return out


def _outside(matrix: Array) -> Array:
    """For each class the sum of the cells outside its row and column, from running sums over the rows before and after it."""
    out = np.zeros(matrix.shape[1:], matrix.dtype)
    for rows in (range(len(matrix)), range(len(matrix) - 1, -1, -1)):
        running = np.zeros(matrix.shape[1:], matrix.dtype)
        for k in rows:
            out[k] += running[:k].sum(axis=0)
            out[k] += running[k + 1 :].sum(axis=0)
            running += matrix[k]
    return out


@dataclass
class CellTally:
    """Weights of the cells of every cohort: `weight` (K, K, cohorts), `square` Σw² where rows are weighted."""

    weight: npt.NDArray[np.float64]
    square: npt.NDArray[np.float64] | None = None
    clusters: ClusterSums | None = None

    @property
    def n_classes(self) -> int:
        return self.weight.shape[0]

    @property
    def n_cohorts(self) -> int:
        return self.weight.shape[2]

    def regroup(self, cohort_of: npt.NDArray[np.int64], n_cohorts: int) -> CellTally:
        """Cells of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        return CellTally(
            _moved(self.weight, cohort_of, n_cohorts),
            None if self.square is None else _moved(self.square, cohort_of, n_cohorts),
            None if self.clusters is None else self.clusters.regroup(cohort_of),
        )

    @property
    def total(self) -> npt.NDArray[np.float64]:
        """Weight of every cohort."""
        return self.weight.sum(axis=(0, 1))

    @property
    def total_square(self) -> npt.NDArray[np.float64]:
        """Σw² of every cohort; the counts themselves without weights."""
        return (self.weight if self.square is None else self.square).sum(axis=(0, 1))

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Classes that occur among labels or predictions, (K, cohorts)."""
        return (self.weight.sum(axis=0) + self.weight.sum(axis=1)) > 0

    def view(self, kind: Kind = "binary") -> CellView:
        """The cells as metrics read them."""
        return CellView(self.weight, kind)

    def squares(self, kind: Kind = "binary") -> CellView:
        """The same of Σw²."""
        return CellView(self.weight if self.square is None else self.square, kind)

    def padded(self, extra: Array, kind: Kind, present: npt.NDArray[np.bool_] | None) -> CellView:
        """The view with `extra` in every cell (of the classes that are present)."""
        share = 1.0 if present is None else present[:, None] & present[None, :]
        return CellView(self.weight + extra * share, kind)

    def quadratic(self, gradient: Any) -> npt.NDArray[np.float64]:
        """gᵀQg per cohort of independent rows: multinomial or weighted (Σw²)."""
        return self.powers(gradient, 2)

    def powers(self, gradient: Any, power: int) -> npt.NDArray[np.float64]:
        """Σ w² · g^power per cohort."""
        return self.powers_by_label(gradient, power).sum(axis=0)

    def powers_by_label(self, gradient: Any, power: int) -> npt.NDArray[np.float64]:
        """Σ w² · g^power of the rows of every label, (K, cohorts)."""
        return (gradient.table**power * (self.weight if self.square is None else self.square)).sum(axis=1)

    def tables(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Σw and Σw² of all cells, (K, K, cohorts) each."""
        return self.weight, self.weight if self.square is None else self.square

    def outside(self, whole: CellTally, clusters: ClusterSums | None) -> CellTally:
        """For every cohort the cells of the rows of `whole` (one cohort) that are not in it."""
        square = None
        if self.square is not None and whole.square is not None:
            square = np.maximum(whole.square - self.square, 0)
        return CellTally(np.maximum(whole.weight - self.weight, 0), square, clusters)

    def relabel(self, place: npt.NDArray[np.int64], n_classes: int) -> CellTally | ManyCells:
        """The same cells when class i is class `place[i]` of `n_classes`."""
        if n_classes > FEW_CLASSES >= self.n_classes:
            square = None if self.square is None else self.square.transpose(2, 0, 1)
            return ManyCells.of_table(self.weight.transpose(2, 0, 1), square, self.clusters).relabel(place, n_classes)
        at = np.ix_(place, place)

        def spread(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            out = np.zeros((n_classes, n_classes, cells.shape[2]))
            out[at] = cells
            return out

        clusters = self.clusters
        if clusters is not None:
            true, pred = np.divmod(clusters.kind, self.n_classes)
            clusters = ClusterSums(
                clusters.labels,
                clusters.cluster,
                clusters.cohort,
                place[true] * n_classes + place[pred],
                clusters.values,
            )
        return CellTally(spread(self.weight), None if self.square is None else spread(self.square), clusters)

    def __add__(self, other: CellTally) -> CellTally:
        """Cells of both; cohorts and classes must be matched before."""
        square = None
        if self.square is not None or other.square is not None:
            square = (self.weight if self.square is None else self.square) + (
                other.weight if other.square is None else other.square
            )
        clusters = None
        if self.clusters is not None and other.clusters is not None:
            clusters = self.clusters.merge(other.clusters)
        return CellTally(self.weight + other.weight, square, clusters)


def _moved(cells: npt.NDArray[np.float64], cohort_of: npt.NDArray[np.int64], n_cohorts: int) -> npt.NDArray[np.float64]:
    out = np.zeros((*cells.shape[:2], n_cohorts))
    keep = cohort_of >= 0
    if n_cohorts == 1:
        out[..., 0] = cells[..., keep].sum(axis=-1)
        return out
    for true in range(cells.shape[0]):
        for pred in range(cells.shape[1]):
            out[true, pred] = np.bincount(cohort_of[keep], cells[true, pred, keep], n_cohorts)
    return out
