"""Count, means and central co-moments per cohort of one or two numbers of a row, never raw squares.

A block's moments are taken about its own cohort means and merged pairwise (Chan, Golub and LeVeque 1983,
extended to co-moments by the binomial theorem), so that neither large offsets nor many rows lose digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations_with_replacement, permutations, product
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally.clusters import ClusterSums

__all__ = ["MomentTally", "MomentView", "exponents"]

Floats = npt.NDArray[np.float64]
#: High powers of numbers beyond 1e50 overflow; what is read from them is then undefined.
_POWERS = np.errstate(over="ignore", under="ignore", invalid="ignore")


@cache
def exponents(n_variables: int, order: int) -> tuple[tuple[int, ...], ...]:
    """Exponents of the monomials of degree 2..order, by degree."""
    found = []
    for degree in range(2, order + 1):
        factors = combinations_with_replacement(range(n_variables), degree)
        found += sorted(tuple(chosen.count(v) for v in range(n_variables)) for chosen in factors)
    return tuple(found)


@dataclass
class MomentTally:
    """`n` (cohorts,): weight; `mean` (variables, cohorts); `central` (monomials, cohorts): Σ w · Π(x − mean)^e.

    `rows` counts rows, `undefined` rows whose number is NaN. `square` holds the same sums with squared weights,
    about its own means. `clusters` holds per cluster the sums of 1, x, and the products of degree two, about
    `origin`.
    """

    order: int
    n: Floats
    mean: Floats
    central: Floats
    rows: Floats
    undefined: Floats
    square: MomentTally | None = None
    clusters: ClusterSums | None = None
    origin: Floats | None = None

    @property
    def n_cohorts(self) -> int:
        return len(self.n)

    @classmethod
    def empty(cls, n_variables: int, order: int, n_cohorts: int) -> MomentTally:
        size = len(exponents(n_variables, order))
        zero = np.zeros(n_cohorts)
        return cls(order, zero, np.zeros((n_variables, n_cohorts)), np.zeros((size, n_cohorts)), zero, zero)

    @classmethod
    @_POWERS
    def of_block(
        cls,
        codes: npt.NDArray[np.intp],
        n_cohorts: int,
        values: list[Floats],
        order: int,
        weight: Floats | None,
        rows: npt.NDArray[Any] | None = None,
    ) -> MomentTally:
        """Moments of one block of rows; rows with a NaN number are counted and left out.

        `rows` are the rows of every cohort, if they were counted before.
        """
        bad = np.isnan(sum(float(value.sum()) for value in values))
        undefined = np.zeros(n_cohorts)
        if bad:
            missing = np.logical_or.reduce([np.isnan(value) for value in values])
            undefined = np.bincount(codes[missing], minlength=n_cohorts).astype(float)
            codes, values = codes[~missing], [value[~missing] for value in values]
            weight = None if weight is None else weight[~missing]
        counted: npt.NDArray[Any] = np.bincount(codes, minlength=n_cohorts) if bad or rows is None else rows
        rows = counted.astype(float)
        n: Any = rows if weight is None else np.bincount(codes, weight, n_cohorts)
        safe = np.where(n == 0, 1, n)
        means = [np.bincount(codes, v if weight is None else v * weight, n_cohorts) / safe for v in values]
        deviations = [v - (m[0] if n_cohorts == 1 else m[codes]) for v, m in zip(values, means, strict=True)]
        central = np.empty((len(exponents(len(values), order)), n_cohorts))
        powers: dict[tuple[int, ...], Floats] = {}
        for i, e in enumerate(exponents(len(values), order)):
            central[i] = np.bincount(codes, _monomial(deviations, e, powers, weight), n_cohorts)
        return cls(order, n, np.stack(means), central, rows, undefined)

    def __add__(self, other: MomentTally) -> MomentTally:
        """Moments of both; cohorts must be matched before."""
        n = self.n + other.n
        share = other.n / np.where(n == 0, 1, n)
        mean = self.mean + (other.mean - self.mean) * share
        central = self.about(mean) + other.about(mean)
        square = None
        if self.square is not None or other.square is not None:
            square = (self.square or self) + (other.square or other)
        clusters, origin = self.clusters, self.origin
        if origin is None:  # no rows here
            clusters, origin = other.clusters, other.origin
        elif self.clusters is not None and other.clusters is not None and other.origin is not None:
            clusters = self.clusters.merge(other._clusters_about(origin))
        return MomentTally(
            self.order,
            n,
            mean,
            central,
            self.rows + other.rows,
            self.undefined + other.undefined,
            square,
            clusters,
            origin,
        )

    @_POWERS
    def about(self, centre: Floats) -> Floats:
        """Σ w · Π(x − centre)^e for every monomial, (monomials, cohorts)."""
        delta = self.mean - centre
        if not delta.any():
            return self.central
        index = {e: i for i, e in enumerate(exponents(len(self.mean), self.order))}
        powers = [[None, d] for d in delta]  # delta to the power of 0 (unused), 1, 2, ...
        for row, d in zip(powers, delta, strict=True):
            for _ in range(2, self.order + 1):
                row.append(row[-1] * d)
        out = self.central.copy()
        for e, i in index.items():
            for lower in product(*(range(k + 1) for k in e)):
                if sum(lower) == 1 or lower == e:
                    continue  # central first moments are zero
                term = self.n if sum(lower) == 0 else self.central[index[lower]]
                for k, low, power in zip(e, lower, powers, strict=True):
                    if k > low:
                        factor = power[k - low]
                        term = term * (factor if comb(k, low) == 1 else comb(k, low) * factor)
                out[i] += term
        return out

    @_POWERS
    def regroup(self, cohort_of: npt.NDArray[np.int64], n_cohorts: int) -> MomentTally:
        """Moments of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        keep = cohort_of >= 0
        to = cohort_of[keep]

        def add(values: Floats) -> Floats:
            return np.bincount(to, values[keep], n_cohorts).astype(float, copy=False)  # integers without rows

        n = add(self.n)
        safe = np.where(n == 0, 1, n)
        # about a rough centre first, so that the mean of cohorts with a large common offset keeps its digits
        rough = np.stack([add(m * self.n) / safe for m in self.mean])
        mean = np.stack([rough[j] + add((m - rough[j][cohort_of]) * self.n) / safe for j, m in enumerate(self.mean)])
        shifted = self.about(np.where(keep, mean[:, cohort_of], self.mean))
        central = np.stack([add(row) for row in shifted]) if len(shifted) else np.zeros((0, n_cohorts))
        return MomentTally(
            self.order,
            n,
            mean,
            central,
            add(self.rows),
            add(self.undefined),
            None if self.square is None else self.square.regroup(cohort_of, n_cohorts),
            None if self.clusters is None else self.clusters.regroup(cohort_of),
            self.origin,
        )

    def minus(self, part: MomentTally) -> MomentTally:
        """Moments of the rows that are not in `part` (the reverse of `+`); cluster sums are left out."""
        n = np.maximum(self.n - part.n, 0)
        safe = np.where(n == 0, 1, n)
        mean = np.where(n == 0, 0.0, self.mean + (self.mean - part.mean) * part.n / safe)
        central = np.where(n == 0, 0.0, self.about(mean) - part.about(mean))
        even = [all(k % 2 == 0 for k in e) for e in exponents(len(mean), self.order)]
        central[even] = np.maximum(central[even], 0)
        square = None if self.square is None or part.square is None else self.square.minus(part.square)
        return MomentTally(self.order, n, mean, central, self.rows - part.rows, self.undefined - part.undefined, square)

    def transformed(self, matrix: Floats) -> MomentTally:
        """Moments up to order three of sums of the variables, whose weights are the rows of a matrix."""
        order = min(self.order, 3)
        found = {2: self.second(), 3: self.third()} if order > 2 else {2: self.second()}
        wanted = exponents(len(matrix), order)
        central = np.zeros((len(wanted), self.n_cohorts))
        for i, e in enumerate(wanted):
            rows = [matrix[j] for j in _factors(e)]
            central[i] = np.einsum("a,b,abc->c" if len(rows) == 2 else "a,b,c,abcd->d", *rows, found[len(rows)])
        square = None if self.square is None else self.square.transformed(matrix)
        clusters, origin = self.clusters, None if self.origin is None else matrix @ self.origin
        if clusters is not None:
            clusters = replace(clusters, values=_transformed_sums(clusters.values, matrix), memo={})
        mean = matrix @ self.mean
        return MomentTally(order, self.n, mean, central, self.rows, self.undefined, square, clusters, origin)

    def combined(self, weights: Floats) -> MomentTally:
        """Moments up to order three of one sum of the variables with these weights."""
        return replace(self, clusters=None, origin=None).transformed(weights[None])

    def second(self, centre: Floats | None = None) -> Floats:
        """Σ w (x_j − centre_j)(x_k − centre_k) of every cohort, about the mean unless told: (variables, variables, cohorts)."""
        size = len(self.mean)
        sums, out = self.central if centre is None else self.about(centre), np.empty((size, size, self.n_cohorts))
        for i, e in enumerate(exponents(size, self.order)):
            if sum(e) == 2:
                j, k = _factors(e)
                out[j, k] = out[k, j] = sums[i]
        return out

    def third(self) -> Floats:
        """Σ w (x_j − mean_j)(x_k − mean_k)(x_l − mean_l) of every cohort: (variables, variables, variables, cohorts)."""
        size = len(self.mean)
        out = np.empty((size, size, size, self.n_cohorts))
        for e, sums in zip(exponents(size, self.order), self.central, strict=True):
            if sum(e) == 3:
                for places in set(permutations(_factors(e))):
                    out[places] = sums
        return out

    def spread(self, centre: Floats, weights: Floats) -> Floats:
        """Σ w (Σ_j weights_j (x_j − centre_j))² of every cohort; weights (variables, cohorts)."""
        return np.asarray(np.maximum(np.einsum("ac,bc,abc->c", weights, weights, self.second(centre)), 0))

    def view(self) -> MomentView:
        """Means and covariances that estimands read."""
        return MomentView(self)

    def _clusters_about(self, origin: Floats) -> ClusterSums:
        """Cluster sums about another origin."""
        assert self.clusters is not None
        assert self.origin is not None
        shift = self.origin - origin
        old = self.clusters.values
        new = old.copy()
        size = len(shift)
        for j in range(size):
            new[1 + j] = old[1 + j] + shift[j] * old[0]
        for i, (j, k) in enumerate(pairs(size)):
            new[1 + size + i] = (
                old[1 + size + i] + shift[j] * old[1 + k] + shift[k] * old[1 + j] + shift[j] * shift[k] * old[0]
            )
        return replace(self.clusters, values=new)


def _factors(e: tuple[int, ...]) -> tuple[int, ...]:
    """The variables of a monomial, each as often as its power."""
    return tuple(v for v, power in enumerate(e) for _ in range(power))


def _transformed_sums(values: Floats, matrix: Floats) -> Floats:
    """Rows of sums of 1, x and the products of sums of variables, from those of the variables."""
    old, new = matrix.shape[1], len(matrix)
    out = np.empty((1 + new + new * (new + 1) // 2, values.shape[1]))
    out[0], out[1 : 1 + new] = values[0], matrix @ values[1 : 1 + old]
    products = np.empty((old, old, values.shape[1]))
    for i, (j, k) in enumerate(pairs(old)):
        products[j, k] = products[k, j] = values[1 + old + i]
    for i, (j, k) in enumerate(pairs(new)):
        out[1 + new + i] = np.einsum("a,b,abc->c", matrix[j], matrix[k], products)
    return out


def pairs(size: int) -> list[tuple[int, int]]:
    """Pairs of variables whose products are kept per cluster."""
    return [(j, k) for j in range(size) for k in range(j, size)]


def cluster_values(values: list[Floats], origin: Floats, weight: Floats | None) -> Floats:
    """Rows of (1, x, products) about an origin, weighted: (values, rows)."""
    moved = [value - o for value, o in zip(values, origin, strict=True)]
    columns = [np.ones_like(moved[0]), *moved, *(moved[j] * moved[k] for j, k in pairs(len(moved)))]
    return np.stack(columns) * (1.0 if weight is None else weight)


def _monomial(
    deviations: list[Floats], e: tuple[int, ...], powers: dict[tuple[int, ...], Floats], weight: Floats | None
) -> Floats:
    """w · Π d^e, reusing the product of one degree less."""
    for j, k in enumerate(e):
        if k:
            lower = (*e[:j], k - 1, *e[j + 1 :])
            if sum(lower) == 1:
                base = deviations[lower.index(1)]
                powers[e] = base * deviations[j] if weight is None else base * deviations[j] * weight
            else:
                powers[e] = powers[lower] * deviations[j]
            return powers[e]
    raise AssertionError("a monomial of degree 0")


@dataclass(frozen=True)
class MomentView:
    """Moments of every cohort as estimands read them; `index` maps exponents to rows of `central`."""

    tally: MomentTally

    @property
    def n(self) -> Floats:
        """Weight."""
        return self.tally.n

    @property
    def effective(self) -> Floats:
        """Rows of equal weight that would say as much: (Σw)² / Σw², or the rows where they have no weights."""
        square = self.tally.square
        return self.n if square is None else self.n**2 / np.where(square.n > 0, square.n, 1)

    @property
    def mean(self) -> Floats:
        """(variables, cohorts); NaN where a cohort has no rows."""
        return np.where(self.tally.n > 0, self.tally.mean, np.nan)

    def central(self, *e: int) -> Floats:
        """Mean of Π(x − mean)^e; NaN where a cohort has no rows."""
        i = exponents(len(self.tally.mean), self.tally.order).index(e)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.tally.central[i] / self.tally.n

    @property
    def undefined(self) -> Floats:
        """Rows left out because their number is NaN."""
        return self.tally.undefined
