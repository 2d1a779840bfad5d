"""Variances of functions of tallies by the delta method: gradients by complex step, no formula per metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.inference.clusters import varying
from dfevals.metrics.estimands import ClassSums, SmoothMoments
from dfevals.tally import CellView
from dfevals.tally.many_cells import distance_of
from dfevals.tally.moments import pairs

__all__ = [
    "FourCells",
    "Gradient",
    "average_gradient",
    "cell_gradient",
    "cell_variance",
    "four_gradients",
    "matrix_gradient",
    "moment_variance",
    "one_class",
    "plain_variance",
]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
STEP = 1e-30  # complex step: no cancellation, so that it can be this small


@dataclass(frozen=True)
class FourCells:
    """tp, fp, fn, tn as they are: the least that a one-against-the-rest metric reads."""

    tp: Array
    fp: Array
    fn: Array
    tn: Array

    @property
    def n(self) -> Array:
        """Weight of all rows."""
        return self.tp + self.fp + self.fn + self.tn

    @classmethod
    def of(cls, view: Any) -> FourCells:
        """The cells of a view."""
        return cls(view.tp, view.fp, view.fn, view.tn)

    def stepped(self, name: str) -> FourCells:
        """The same with an imaginary step on one cell."""
        return FourCells(**{k: getattr(self, k) + (STEP * 1j if k == name else 0) for k in ("tp", "fp", "fn", "tn")})


def four_gradients(function: Callable[[FourCells], Array], cells: FourCells) -> dict[str, Floats]:
    """Derivative of `function` by each of the four cells."""
    return {name: np.imag(function(cells.stepped(name))) / STEP for name in ("tp", "fp", "fn", "tn")}


@dataclass(frozen=True)
class TableGradient:
    """Derivative by every cell, (K, K, cohorts)."""

    table: Floats

    def at(self, y_true: Array, y_pred: Array, cohort: Array) -> Floats:
        """At single cells."""
        return np.asarray(self.table[y_true, y_pred, cohort])

    def pseudo(self, present: npt.NDArray[np.bool_] | None) -> Floats:
        """Sum of its squares over the cells (of the classes that are present)."""
        return (self.table**2 * (1.0 if present is None else present[:, None] & present[None, :])).sum(axis=(0, 1))


@dataclass(frozen=True)
class MarginGradient:
    """Derivative by the cells of many classes: `right` on the diagonal, off it `missed` of the label + `false` of the
    prediction (K, cohorts) + Σ `apart[power]` · |i − j|^power.
    """

    right: Floats
    missed: Floats
    false: Floats
    apart: dict[int, Floats] = field(default_factory=dict)

    def at(self, y_true: Array, y_pred: Array, cohort: Array) -> Floats:
        """At single cells."""
        off = self.missed[y_true, cohort] + self.false[y_pred, cohort]
        for power, slope in self.apart.items():
            off += slope[cohort] * distance_of(y_true, y_pred, power)
        return np.where(y_true == y_pred, self.right[y_true, cohort], off)

    @property
    def table(self) -> Floats:
        """At all cells, (K, K, cohorts)."""
        true, pred, cohort = np.ogrid[: len(self.right), : len(self.right), : self.right.shape[1]]
        return self.at(true, pred, cohort)

    def pseudo(self, present: npt.NDArray[np.bool_] | None) -> Floats:
        """Sum of its squares over the cells (of the classes that are present)."""
        share = np.ones(self.right.shape) if present is None else present.astype(float)
        if self.apart:
            classes, cohorts = np.arange(len(share))[:, None], np.arange(share.shape[1])[None, :]
            rows = (
                self.at(np.full_like(classes, i), classes, cohorts) ** 2 * share * share[i] for i in range(len(share))
            )
            return np.asarray(sum(row.sum(axis=0) for row in rows))
        missed, false, count = self.missed * share, self.false * share, share.sum(axis=0)
        every = count * ((missed**2).sum(axis=0) + (false**2).sum(axis=0)) + 2 * missed.sum(axis=0) * false.sum(axis=0)
        diagonal = self.right**2 - (self.missed + self.false) ** 2
        return np.maximum(every + (diagonal * share).sum(axis=0), 0)


Gradient = TableGradient | MarginGradient


def one_class(g: dict[str, Floats], k: int, n_classes: int) -> MarginGradient:
    """Gradient by the cells from the gradient by the four cells of class k against the rest, each (cohorts,)."""
    right, missed, false = (
        np.broadcast_to(v, (n_classes, len(g["tn"]))).copy() for v in (g["tn"], g["tn"], 0.0 * g["tn"])
    )
    right[k], missed[k], false[k] = g["tp"], g["fn"], g["fp"] - g["tn"]
    return MarginGradient(right, missed, false)


def average_gradient(per_class: dict[str, Floats]) -> MarginGradient:
    """Sum over the classes of their gradients by the cells; inputs have shape (K, cohorts)."""
    tp, fp, fn, tn = (per_class[name] for name in ("tp", "fp", "fn", "tn"))
    outside = tn.sum(axis=0)
    return MarginGradient(tp + outside - tn, fn + outside - tn, fp - tn)


def cell_gradient(function: Callable[[Any], Any], view: Any) -> Gradient:
    """Derivative by the cells of a metric's value, where `function` gives its estimand; NaN counts as 0."""
    if isinstance(view, CellView):
        return TableGradient(np.nan_to_num(matrix_gradient(lambda cells: function(cells).value, view.matrix)))
    sums = getattr(function(view), "sums", None)
    return _of_sums(sums, view) if sums is not None else _of_margins(lambda cells: function(cells).value, view)


def _of_sums(sums: ClassSums, view: Any) -> MarginGradient:
    """Derivative of every sum by a class, times that of the function by the sum."""
    inputs = (view.diagonal, view.true_totals, view.pred_totals)
    totals = [term.sum(axis=0) for term in sums.terms(*inputs)]
    outer = []
    for i in range(len(totals)):
        outer.append(np.imag(sums.function(*(t + STEP * 1j * (i == j) for j, t in enumerate(totals)))) / STEP)
    slopes = []
    for i in range(3):
        moved = sums.terms(*(x + STEP * 1j * (i == j) for j, x in enumerate(inputs)))
        slopes.append(sum(np.nan_to_num(o * np.imag(term) / STEP) for o, term in zip(outer, moved, strict=True)))
    right, true, pred = slopes
    return MarginGradient(right + true + pred, true, pred)


def _of_margins(function: Callable[[Any], Array], view: Any) -> MarginGradient:
    """Derivative by what every class has right, missed and falsely claimed, and by the distances if they are read."""
    found = {}
    for name in ("right", "missed", "false"):
        stepped = getattr(view, name).astype(complex)
        slopes = np.empty(stepped.shape)
        for k in range(len(stepped)):
            stepped[k] += STEP * 1j
            slopes[k] = np.imag(function(replace(view, **{name: stepped}))) / STEP
            stepped[k] -= STEP * 1j
        found[name] = np.nan_to_num(slopes)
    apart: dict[int, Floats] = {}
    read: set[int] = set()

    def watched(power: int) -> Any:
        read.add(power)
        return view.distances(power)

    function(replace(view, distances=watched))
    for power in read:
        moved = replace(view, distances=lambda p, of=power: view.distances(p) + STEP * 1j * (p == of))
        apart[power] = np.nan_to_num(np.imag(function(moved)) / STEP)
    return MarginGradient(found["right"], found["missed"], found["false"], apart)


def matrix_gradient(function: Callable[[CellView], Array], matrix: Floats) -> Floats:
    """Derivative of `function` by each of the K × K cells, (K, K, cohorts)."""
    out = np.empty(matrix.shape)
    complex_matrix = matrix.astype(complex)
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            complex_matrix[i, j] += STEP * 1j
            out[i, j] = np.imag(function(CellView(complex_matrix))) / STEP
            complex_matrix[i, j] -= STEP * 1j
    return out


def cell_variance(
    gradient: Gradient, tally: Any, pseudo: Any = 0.0, present: Any = None, size: Gradient | None = None
) -> tuple[Floats, Floats | None]:
    """gᵀQg per cohort: multinomial, weighted (Σw²) or cluster-robust, then with its degrees of freedom.

    `pseudo` is what pseudo-rows add to Σw² of every cell (of the classes `present`). Beside clusters each stands alone:
    without them clusters that are all right would have no variance. `size` says how much the cells count for the size of
    a cluster; by default as much as the rows of their true class vary.
    """
    df, own = None, None
    if tally.clusters is not None:
        own, df = _clustered_cells(gradient, tally, size)
    with np.errstate(invalid="ignore"):
        variance = tally.quadratic(gradient) if own is None else own
        return np.asarray(variance + pseudo * gradient.pseudo(present)), df


def _clustered_cells(gradient: Gradient, tally: Any, size: Gradient | None) -> tuple[Floats, Floats]:
    sums = tally.clusters
    true, pred = np.divmod(sums.kind, tally.n_classes)
    weight, moved = sums.values[0], gradient.at(true, pred, sums.cohort) * sums.values[0]
    if size is None:
        each = varying(moved, weight, true * tally.n_cohorts + sums.cohort)
    else:
        each = np.abs(size.at(true, pred, sums.cohort))
    found: tuple[Floats, Floats] = sums.robust(moved, tally.n_cohorts, weight * each)
    return found


def moment_variance(estimand: SmoothMoments) -> tuple[Floats, Floats]:
    """Variance of a smooth function of moments by its influence function, and the degrees of freedom.

    The influence of a row on a mean is its deviation, on a central second moment its product of deviations less the
    moment; variances of those need the fourth-order moments of the tally.
    """
    if "variance" not in estimand.memo:
        estimand.memo["variance"] = _moment_variance(estimand)
    found: tuple[Floats, Floats] = estimand.memo["variance"]
    return found


def _moment_variance(estimand: SmoothMoments) -> tuple[Floats, Floats]:
    tally = estimand.moments.tally
    means, second = estimand.inputs()
    size = len(means)
    gradient: list[Floats] = []
    for j in range(size):
        gradient.append(_step(estimand, [m + (STEP * 1j if i == j else 0) for i, m in enumerate(means)], second))
    products = list(second)
    for e in products:
        gradient.append(_step(estimand, means, {k: v + (STEP * 1j if k == e else 0) for k, v in second.items()}))
    units = [tuple(int(i == j) for i in range(size)) for j in range(size)]
    if tally.clusters is not None:
        return _clustered(estimand, gradient, units, products)
    source = tally.square or tally
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        about = _about(source, tally.mean)
        total = np.zeros(tally.n_cohorts)
        used = [(e, g) for e, g in zip((*units, *products), gradient, strict=True) if e in units or np.any(g)]
        for a, ga in used:  # a function of means alone needs no fourth-order moments
            for b, gb in used:
                moment_a, moment_b = (_moment(tally, e) if sum(e) == 2 else 0.0 for e in (a, b))
                joint = about(tuple(x + y for x, y in zip(a, b, strict=True)))
                joint = joint - moment_a * about(b) - moment_b * about(a) + moment_a * moment_b * source.n
                total = total + ga * gb * joint
        n_eff = tally.n if tally.square is None else tally.n**2 / tally.square.n
        variance = total / tally.n**2 * np.where(n_eff > 1, n_eff / np.maximum(n_eff - 1, 1e-9), np.nan)
    return np.maximum(variance, 0), n_eff - 1


def plain_variance(tally: Any) -> Floats:
    """Variance of the mean of clustered rows with the correction for the number of clusters alone."""
    shift = (tally.mean - tally.origin[:, None])[0]
    sums = tally.clusters
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = sums.values[1] - np.nan_to_num(shift)[sums.cohort] * sums.values[0]
        return np.asarray(sums.plain(moved, tally.n_cohorts) / tally.n**2)


def _step(estimand: SmoothMoments, means: list[Array], second: dict[tuple[int, ...], Array]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.imag(estimand.function(means, second)) / STEP


def _moment(tally: Any, e: tuple[int, ...]) -> Floats:
    from dfevals.tally.moments import exponents

    with np.errstate(divide="ignore", invalid="ignore"):
        return tally.central[exponents(len(tally.mean), tally.order).index(e)] / tally.n


def _about(source: Any, centre: Floats) -> Callable[[tuple[int, ...]], Floats]:
    """Sums of products of deviations about `centre`, by exponents."""
    from dfevals.tally.moments import exponents

    index = {e: i for i, e in enumerate(exponents(len(source.mean), source.order))}
    table = source.about(centre)

    def read(e: tuple[int, ...]) -> Floats:
        if sum(e) == 1:
            return (source.mean[e.index(1)] - centre[e.index(1)]) * source.n
        return table[index[e]]

    return read


def _clustered(
    estimand: SmoothMoments, gradient: list[Floats], units: list[Any], products: list[Any]
) -> tuple[Floats, Floats]:
    """Influence summed within clusters: linear in the sums of 1, x and their products about the origin."""
    tally = estimand.moments.tally
    assert tally.clusters is not None
    assert tally.origin is not None
    shift = tally.mean - tally.origin[:, None]  # x − mean = (x − origin) − shift
    size = len(units)
    order = pairs(size)
    weights = np.zeros((1, 1 + size + len(order), tally.n_cohorts))
    with np.errstate(divide="ignore", invalid="ignore"):
        for j in range(size):
            weights[0, 1 + j] += gradient[j]
            weights[0, 0] -= gradient[j] * shift[j]
        for e, g in zip(products, gradient[size:], strict=True):
            j, k = [i for i, power in enumerate(e) for _ in range(power)]
            weights[0, 1 + size + order.index((j, k))] += g
            weights[0, 1 + j] -= g * shift[k]
            weights[0, 1 + k] -= g * shift[j]
            weights[0, 0] += g * (shift[j] * shift[k] - _moment(tally, e))
        variance, df = tally.clusters.linear(np.nan_to_num(weights, posinf=0.0, neginf=0.0), tally.n_cohorts)
        return variance / tally.n**2, df
