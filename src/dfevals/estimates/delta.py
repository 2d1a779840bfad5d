"""Variances of functions of tallies by the delta method: gradients by complex step, no formula per metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.metrics.estimands import SmoothMoments
from dfevals.tally import CellTally, CellView
from dfevals.tally.moments import pairs

__all__ = [
    "FourCells",
    "average_gradient",
    "cell_variance",
    "four_gradients",
    "matrix_gradient",
    "moment_variance",
    "spread",
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
    def of(cls, view: CellView) -> FourCells:
        """The cells of a view."""
        return cls(view.tp, view.fp, view.fn, view.tn)

    def stepped(self, name: str) -> FourCells:
        """The same with an imaginary step on one cell."""
        return FourCells(**{k: getattr(self, k) + (STEP * 1j if k == name else 0) for k in ("tp", "fp", "fn", "tn")})


def four_gradients(function: Callable[[FourCells], Array], cells: FourCells) -> dict[str, Floats]:
    """Derivative of `function` by each of the four cells."""
    return {name: np.imag(function(cells.stepped(name))) / STEP for name in ("tp", "fp", "fn", "tn")}


def spread(g: dict[str, Floats], k: int, n_classes: int) -> Floats:
    """Gradient by the K × K cells from the gradient by the four cells of class k against the rest."""
    full = np.broadcast_to(g["tn"], (n_classes, n_classes, *np.shape(g["tn"]))).copy()
    full[:, k] = g["fp"]
    full[k, :] = g["fn"]
    full[k, k] = g["tp"]
    return full


def average_gradient(per_class: dict[str, Floats]) -> Floats:
    """Sum over the classes of their gradients by the K × K cells; inputs have shape (K, cohorts)."""
    tp, fp, fn, tn = (per_class[name] for name in ("tp", "fp", "fn", "tn"))
    full = fp[None, :] + fn[:, None] + tn.sum(axis=0) - tn[:, None] - tn[None, :]
    diagonal = np.arange(len(tp))
    full[diagonal, diagonal] = tp + tn.sum(axis=0) - tn
    return full


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


def cell_variance(gradient: Floats, tally: CellTally, square: Floats) -> Floats:
    """gᵀQg per cohort: multinomial, weighted (Σw²) or cluster-robust. `square` are the cells' Σw² (counts if plain).

    What `square` has beyond the tally's own are pseudo-rows. Beside clusters each stands alone: without them clusters
    that are all right would have no variance.
    """
    if tally.clusters is not None:
        k = tally.n_classes
        own = tally.weight if tally.square is None else tally.square
        pseudo = (gradient**2 * (square - own)).sum(axis=(0, 1))
        return tally.clusters.variance(gradient.reshape(k * k, 1, -1), tally.n_cohorts) + pseudo
    return (gradient**2 * square).sum(axis=(0, 1))


def moment_variance(estimand: SmoothMoments) -> tuple[Floats, Floats]:
    """Variance of a smooth function of moments by its influence function, and the degrees of freedom.

    The influence of a row on a mean is its deviation, on a central second moment its product of deviations less the
    moment; variances of those need the fourth-order moments of the tally.
    """
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
        for a, ga in zip((*units, *products), gradient, strict=True):
            for b, gb in zip((*units, *products), gradient, strict=True):
                moment_a, moment_b = (_moment(tally, e) if sum(e) == 2 else 0.0 for e in (a, b))
                joint = about(tuple(x + y for x, y in zip(a, b, strict=True)))
                joint = joint - moment_a * about(b) - moment_b * about(a) + moment_a * moment_b * source.n
                total = total + ga * gb * joint
        n_eff = tally.n if tally.square is None else tally.n**2 / tally.square.n
        variance = total / tally.n**2 * np.where(n_eff > 1, n_eff / np.maximum(n_eff - 1, 1e-9), np.nan)
    return np.maximum(variance, 0), n_eff - 1


def _step(estimand: SmoothMoments, means: list[Array], second: dict[tuple[int, ...], Array]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.imag(estimand.function(means, second)) / STEP


def _moment(tally: Any, e: tuple[int, ...]) -> Floats:
    from dfevals.tally.moments import exponents

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
    for j in range(size):
        weights[0, 1 + j] += gradient[j]
        weights[0, 0] -= gradient[j] * shift[j]
    for e, g in zip(products, gradient[size:], strict=True):
        j, k = [i for i, power in enumerate(e) for _ in range(power)]
        weights[0, 1 + size + order.index((j, k))] += g
        weights[0, 1 + j] -= g * shift[k]
        weights[0, 1 + k] -= g * shift[j]
        weights[0, 0] += g * (shift[j] * shift[k] - _moment(tally, e))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = tally.clusters.variance(np.nan_to_num(weights, posinf=0.0, neginf=0.0), tally.n_cohorts) / tally.n**2
    return variance, tally.clusters.count(tally.n_cohorts).astype(float) - 1.0
