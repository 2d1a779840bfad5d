"""Cells of many classes: only those that hold rows, and what metrics read of them class by class, never K × K tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import MetricError
from dfevals.tally.clusters import ClusterSums
from dfevals.tally.joint import distinct_of

__all__ = ["FEW_CLASSES", "ManyCells", "MarginView", "distance_of"]

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Kind = Literal["binary", "classes", "micro"]
FEW_CLASSES = 8  # up to here cells are kept as tables
AFFORDABLE = 1 << 24  # cells of a table that is made for a metric which reads it
ROUNDING = 1e-6  # share of the rows below which a difference of totals is summed again


@dataclass(frozen=True)
class MarginView:
    """What metrics read of many classes: of every class the weight that is right, missed, falsely claimed, and outside.

    Arrays have shape (K, cohorts). It answers like CellView; `distances` are Σ |i − j|^power · cell by power.
    """

    right: Array
    missed: Array
    false: Array
    outside: Array
    kind: Kind = "binary"
    distances: Any = None
    table: Any = None

    @property
    def n(self) -> Array:
        """Weight of all rows."""
        return (self.right + self.missed).sum(axis=0)

    @property
    def tp(self) -> Array:
        return self._fold(self.right)

    @property
    def fp(self) -> Array:
        return self._fold(self.false)

    @property
    def fn(self) -> Array:
        return self._fold(self.missed)

    @property
    def tn(self) -> Array:
        return self._fold(self.outside)

    @property
    def diagonal(self) -> Array:
        """Weight of the rows of each class that are right, (K, cohorts)."""
        return self.right

    @property
    def correct(self) -> Array:
        """Weight of the rows on the diagonal."""
        return self.right.sum(axis=0)

    @property
    def true_totals(self) -> Array:
        """Weight of each true class, (K, cohorts)."""
        return self.right + self.missed

    @property
    def pred_totals(self) -> Array:
        """Weight of each predicted class, (K, cohorts)."""
        return self.right + self.false

    @property
    def matrix(self) -> Array:
        """The table (K, K, cohorts), for metrics that read single cells; affordable for hundreds of classes."""
        return self.table()

    def distance(self, power: int) -> Array:
        """Σ |i − j|^power · cell."""
        return self.distances(power)

    def _fold(self, values: Array) -> Array:
        return values.sum(axis=0) if self.kind == "micro" else values


@dataclass
class ManyCells:
    """Entry e holds `weight[e]` (and `square[e]`, Σw², where rows are weighted) of a label and a prediction in a cohort."""

    n_classes: int
    n_cohorts: int
    cohort: Ints
    y_true: Ints
    y_pred: Ints
    weight: Floats
    square: Floats | None = None
    clusters: ClusterSums | None = None

    @classmethod
    def of_table(cls, weight: Array, square: Floats | None = None, clusters: ClusterSums | None = None) -> ManyCells:
        """From tables (cohorts, K, K)."""
        cohort, true, pred = np.nonzero(weight if square is None else (weight != 0) | (square != 0))
        sums = (weight[cohort, true, pred].astype(float), None if square is None else square[cohort, true, pred])
        return cls(weight.shape[1], len(weight), cohort, true, pred, *sums, clusters)

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> ManyCells:
        """Cells of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        clusters = None if self.clusters is None else self.clusters.regroup(cohort_of)
        moved = replace(self, cohort=cohort_of[self.cohort], n_cohorts=n_cohorts, clusters=clusters)
        return moved._summed()

    def relabel(self, place: Ints, n_classes: int) -> ManyCells:
        """The same cells when class i is class `place[i]` of `n_classes`."""
        clusters = self.clusters
        if clusters is not None:
            true, pred = np.divmod(clusters.kind, self.n_classes)
            clusters = replace(clusters, kind=place[true] * n_classes + place[pred])
        return replace(
            self, n_classes=n_classes, y_true=place[self.y_true], y_pred=place[self.y_pred], clusters=clusters
        )

    def __add__(self, other: ManyCells) -> ManyCells:
        """Cells of both; cohorts and classes must be matched before."""
        both = self._with(other, 1.0)
        if self.clusters is not None and other.clusters is not None:
            both.clusters = self.clusters.merge(other.clusters)
        return both

    def outside(self, whole: ManyCells, clusters: ClusterSums | None) -> ManyCells:
        """For every cohort the cells of the rows of `whole` (one cohort) that are not in it."""
        c, size = self.n_cohorts, len(whole.weight)
        names = ("y_true", "y_pred", "weight") + (("square",) if whole.square is not None else ())
        tiled: Any = {name: np.tile(getattr(whole, name), c) for name in names}
        every = replace(whole, n_cohorts=c, cohort=np.repeat(np.arange(c), size), **tiled)
        rest = every._with(self, -1.0)
        rest.weight = np.maximum(rest.weight, 0)
        rest.square = None if rest.square is None else np.maximum(rest.square, 0)
        rest.clusters = clusters
        return rest

    def _with(self, other: ManyCells, sign: float) -> ManyCells:
        names = ("cohort", "y_true", "y_pred")
        joined: Any = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        joined["weight"] = np.concatenate([self.weight, sign * other.weight])
        if self.square is not None and other.square is not None:
            joined["square"] = np.concatenate([self.square, sign * other.square])
        return replace(self, **joined)._summed()

    def _summed(self) -> ManyCells:
        keep = self.cohort >= 0
        columns = {name: getattr(self, name)[keep] for name in ("cohort", "y_true", "y_pred")}
        first, place = distinct_of(list(columns.values()), [self.n_cohorts, self.n_classes, self.n_classes])
        found: Any = {name: column[first] for name, column in columns.items()}
        found["weight"] = np.bincount(place, self.weight[keep], len(first)).astype(float)
        if self.square is not None:
            found["square"] = np.bincount(place, self.square[keep], len(first)).astype(float)
        return replace(self, **found)

    def cut(self, start: int, stop: int) -> ManyCells:
        """Cohorts start..stop."""
        place = np.arange(self.n_cohorts) - start
        place[(place < 0) | (place >= stop - start)] = -1
        return self.regroup(place, stop - start)

    @property
    def total(self) -> Floats:
        """Weight of every cohort."""
        return np.bincount(self.cohort, self.weight, self.n_cohorts).astype(float)

    @property
    def total_square(self) -> Floats:
        """Σw² of every cohort; the counts themselves without weights."""
        square = self.weight if self.square is None else self.square
        return np.bincount(self.cohort, square, self.n_cohorts).astype(float)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Classes that occur among labels or predictions, (K, cohorts)."""
        view = self.view()
        return (view.right + view.missed + view.false) > 0

    def view(self, kind: Kind = "binary") -> MarginView:
        """The cells as metrics read them."""
        return self._view(self.weight, kind)

    def squares(self, kind: Kind = "binary") -> MarginView:
        """The same of Σw²."""
        return self._view(self.weight if self.square is None else self.square, kind)

    def padded(self, extra: Floats, kind: Kind, present: npt.NDArray[np.bool_] | None) -> MarginView:
        """The view with `extra` in every cell (of the classes that are present)."""
        view = self.view(kind)
        share = np.ones_like(view.right) if present is None else present.astype(float)
        classes = share.sum(axis=0)
        others = extra * (classes - 1) * share

        def distances(power: int) -> Array:
            apart = _apart(self.n_classes, power)
            return view.distance(power) + extra * apart if present is None else view.distance(power)

        return replace(
            view,
            right=view.right + extra * share,
            missed=view.missed + others,
            false=view.false + others,
            outside=view.outside + extra * (classes - share) ** 2,
            distances=distances,
            table=lambda: self.table() + extra * (share[:, None] * share[None, :]),
        )

    def _view(self, values: Floats, kind: Kind) -> MarginView:
        size = self.n_classes * self.n_cohorts
        hit = self.y_true == self.y_pred

        def sums(classes: Ints, part: npt.NDArray[np.bool_]) -> Floats:
            at = classes[part] * self.n_cohorts + self.cohort[part]
            return np.bincount(at, values[part], size).reshape(self.n_classes, self.n_cohorts).astype(float)

        right, missed, false = sums(self.y_true, hit), sums(self.y_true, ~hit), sums(self.y_pred, ~hit)
        outside = (right + missed).sum(axis=0) - right - missed - false
        self._sum_again(outside, (right + missed).sum(axis=0), values)

        def distances(power: int) -> Floats:
            apart = distance_of(self.y_true, self.y_pred, power)
            return np.bincount(self.cohort, values * apart, self.n_cohorts).astype(float)

        return MarginView(right, missed, false, outside, kind, distances, lambda: self.table(values))

    def _sum_again(self, outside: Floats, total: Floats, values: Floats) -> None:
        """Sum what lies outside a class that holds nearly all weight: its difference of totals is rounding."""
        for k, cohort in np.argwhere(outside < ROUNDING * total):
            rest = (self.cohort == cohort) & (self.y_true != k) & (self.y_pred != k)
            outside[k, cohort] = values[rest].sum()

    def quadratic(self, gradient: Any) -> Floats:
        """gᵀQg per cohort of independent rows: multinomial or weighted (Σw²)."""
        return self.powers(gradient, 2)

    def powers(self, gradient: Any, power: int) -> Floats:
        """Σ w² · g^power per cohort."""
        return self.powers_by_label(gradient, power).sum(axis=0)

    def powers_by_label(self, gradient: Any, power: int) -> Floats:
        """Σ w² · g^power of the rows of every label, (K, cohorts)."""
        square = self.weight if self.square is None else self.square
        slopes, shape = gradient.at(self.y_true, self.y_pred, self.cohort), (self.n_classes, self.n_cohorts)
        at = self.y_true * self.n_cohorts + self.cohort
        return np.bincount(at, slopes**power * square, shape[0] * shape[1]).astype(float).reshape(shape)

    def tables(self) -> tuple[Floats, Floats]:
        """Σw and Σw² of all cells, (K, K, cohorts) each."""
        weight = self.table()
        return weight, weight if self.square is None else self.table(self.square)

    def table(self, values: Floats | None = None) -> Floats:
        """All cells, (K, K, cohorts).

        Raises
        ------
        MetricError
            They would not fit into memory.
        """
        shape = (self.n_classes, self.n_classes, self.n_cohorts)
        if self.n_classes**2 * self.n_cohorts > AFFORDABLE:
            raise MetricError(
                f"All cells of {self.n_classes:,} classes in {self.n_cohorts:,} cohorts are too many to be held at once. "
                "Metrics of classes and of totals work without them; here, ask for fewer cohorts or classes."
            )
        out = np.zeros(shape)
        out[self.y_true, self.y_pred, self.cohort] = self.weight if values is None else values
        return out


def distance_of(y_true: Array, y_pred: Array, power: int) -> Floats:
    """|i − j|^power, and 0 on the diagonal."""
    apart = np.abs(y_true - y_pred).astype(float)
    return apart**power if power else (apart > 0).astype(float)


def _apart(k: int, power: int) -> float:
    """Σ over all cells of |i − j|^power."""
    steps = np.arange(1, k, dtype=float)
    return float((2 * (k - steps) * steps**power).sum())
