"""Sums per cluster of dependent rows: what cluster-robust variances need, additive like every tally."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.inference.clusters import worth_of

__all__ = ["ClusterSums"]

Ints = npt.NDArray[np.int64]
DENSE = 8  # pairs of cluster and cohort per entry up to which a table of all pairs is quicker than sorting


@dataclass
class ClusterSums:
    """Sparse sums: entry e adds `values[:, e]` to column `kind[e]` of cluster `cluster[e]` in cohort `cohort[e]`.

    For cells `kind` is the cell (y_true · K + y_pred) and there is one value, the weight. For moments all entries
    have kind 0 and the values are the sums of the monomials.
    """

    labels: npt.NDArray[Any]  # (clusters,) identity of each cluster, for merging
    cluster: Ints
    cohort: Ints
    kind: Ints
    values: npt.NDArray[np.float64]  # (values, entries)
    memo: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)  # pairs of cluster and cohort

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "memo": {}}

    @classmethod
    def collect(
        cls, labels: npt.NDArray[Any], cluster: Ints, cohort: Ints, kind: Ints, values: npt.NDArray[np.float64]
    ) -> ClusterSums:
        """Add up rows that share cluster, cohort and kind."""
        return cls(labels, cluster, cohort, kind, values)._summed()

    def _summed(self) -> ClusterSums:
        if len(self.cluster) == 0:
            return self
        width_kind, width_cohort = int(self.kind.max()) + 1, int(self.cohort.max()) + 1
        joint = (self.cluster * width_cohort + self.cohort) * width_kind + self.kind
        unique, inverse = np.unique(joint, return_inverse=True)
        values: Any = np.stack([np.bincount(inverse, row, len(unique)) for row in self.values])
        rest, kind = np.divmod(unique, width_kind)
        cluster, cohort = np.divmod(rest, width_cohort)
        return ClusterSums(self.labels, cluster, cohort, kind, values)

    def regroup(self, cohort_of: Ints) -> ClusterSums:
        """Entries of cohort i go to `cohort_of[i]`, or nowhere if negative."""
        moved = replace(self, cohort=cohort_of[self.cohort], memo={})
        return moved.part(moved.cohort >= 0)._summed()

    def part(self, keep: npt.NDArray[np.bool_]) -> ClusterSums:
        """Some of the entries."""
        return ClusterSums(self.labels, self.cluster[keep], self.cohort[keep], self.kind[keep], self.values[:, keep])

    def outside(self, cohort_of: Ints, n_cohorts: int) -> ClusterSums:
        """For every new cohort the entries of all cohorts that do not go to it; costs all entries per cohort."""
        width = int(self.kind.max(initial=0)) + 1
        unique, place = np.unique(self.cluster * width + self.kind, return_inverse=True)
        none: Ints = np.zeros(0, np.int64)
        to, parts = cohort_of[self.cohort], [(none, none, self.values[:, :0])]
        for new in range(n_cohorts):
            keep = np.flatnonzero(to != new)
            found = np.flatnonzero(np.bincount(place[keep], minlength=len(unique)))
            sums = [np.bincount(place[keep], row[keep], len(unique))[found] for row in self.values]
            parts.append((found, np.full(len(found), new), np.stack(sums)))
        joint, cohort, values = (np.concatenate(columns, axis=-1) for columns in zip(*parts, strict=True))
        cluster, kind = np.divmod(unique[joint], width)
        return ClusterSums(self.labels, cluster, cohort, kind, values)

    def merge(self, other: ClusterSums, kind_of: Ints | None = None, kind_of_other: Ints | None = None) -> ClusterSums:
        """Entries of both; clusters are matched by label, cohorts must be matched before."""
        labels, index = np.unique(np.concatenate([self.labels, other.labels]), return_inverse=True)
        mine, theirs = index[: len(self.labels)], index[len(self.labels) :]
        return ClusterSums(
            labels,
            np.concatenate([mine[self.cluster], theirs[other.cluster]]),
            np.concatenate([self.cohort, other.cohort]),
            np.concatenate(
                [
                    self.kind if kind_of is None else kind_of[self.kind],
                    other.kind if kind_of_other is None else kind_of_other[other.kind],
                ]
            ),
            np.concatenate([self.values, other.values], axis=1),
        )._summed()

    def linear(
        self, gradient: npt.NDArray[np.float64], n_cohorts: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """`robust` for Σ gradient · values, where every row counts alike; gradient is (kinds, values, cohorts)."""
        return self.robust((gradient[self.kind, :, self.cohort].T * self.values).sum(axis=0), n_cohorts, self.values[0])

    def robust(
        self, part: npt.NDArray[np.float64], n_cohorts: int, size: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Cluster-robust variance of a sum per cohort, and its degrees of freedom (`worth_of`).

        Parameters
        ----------
        part : ndarray (entries,)
            What every entry adds to the sum.
        n_cohorts : int
        size : ndarray (entries,)
            What it adds to the size of its cluster; where nothing does, the weight of its rows counts.

        Returns
        -------
        variance, df : ndarray (cohorts,)
            NaN and 0 where fewer than two clusters count.
        """
        pair, inverse = self._pairs(n_cohorts)
        sums, sizes, rows = (np.bincount(inverse, x, len(pair)) for x in (part, size, self.values[0]))
        worth = worth_of(sizes, pair % n_cohorts, n_cohorts, rows)
        return np.where(worth.df > 0, worth.variance(sums), np.nan), worth.df

    def spread(self, n_cohorts: int) -> tuple[npt.NDArray[np.float64], ...]:
        """Summed over the kinds: p (1 − p) of their shares p of the weight, the cluster-robust variance of their weights
        about these shares, and its degrees of freedom.
        """
        pair, at = self._pairs(n_cohorts)
        cells, joined = np.unique(at * (int(self.kind.max(initial=0)) + 1) + self.kind, return_inverse=True)
        weight = np.bincount(joined, self.values[0], len(cells))  # entries of a cluster and kind may stand apart
        inverse, kind = np.divmod(cells, int(self.kind.max(initial=0)) + 1)
        cohort = pair % n_cohorts
        kinds, place = np.unique(kind * n_cohorts + cohort[inverse], return_inverse=True)
        of_kind = np.bincount(place, weight, len(kinds))
        share = of_kind / np.bincount(cohort[inverse], weight, n_cohorts)[kinds % n_cohorts]
        alike = np.bincount(kinds % n_cohorts, share**2, n_cohorts)
        entries = (weight, weight**2, weight * share[place])
        rows, own, expected = (np.bincount(inverse, x, len(pair)) for x in entries)
        apart = np.maximum(own - 2 * rows * expected + rows**2 * alike[cohort], 0)  # Σ (own − share · rows)²
        worth = worth_of(rows, cohort, n_cohorts)
        return 1.0 - alike.astype(float), np.where(worth.df > 0, worth.variance(np.sqrt(apart)), np.nan), worth.df

    def plain(self, part: npt.NDArray[np.float64], n_cohorts: int) -> npt.NDArray[np.float64]:
        """Variance of a sum per cohort with the usual correction C / (C − 1) for C clusters, as harnesses print it."""
        pair, inverse = self._pairs(n_cohorts)
        sums, cohort = np.bincount(inverse, part, len(pair)), pair % n_cohorts
        clusters = np.bincount(cohort, minlength=n_cohorts)
        factor = clusters / np.where(clusters > 1, clusters - 1, np.nan)
        return np.asarray(np.bincount(cohort, sums**2, n_cohorts) * factor)

    def powers(
        self, part: npt.NDArray[np.float64], n_cohorts: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Sums over the clusters of every cohort of the square and the cube of what each adds to a sum."""
        pair, inverse = self._pairs(n_cohorts)
        sums: Any = np.bincount(inverse, part, len(pair))
        squares, cubes = (np.bincount(pair % n_cohorts, sums**power, n_cohorts).astype(float) for power in (2, 3))
        return squares, cubes

    def _pairs(self, n_cohorts: int) -> tuple[Ints, Ints]:
        """The pairs of cluster and cohort that occur, as cluster · n_cohorts + cohort, and the one of each entry."""
        if n_cohorts not in self.memo:
            pair = self.cluster * n_cohorts + self.cohort
            if len(self.labels) * n_cohorts > DENSE * len(pair):
                self.memo[n_cohorts] = np.unique(pair, return_inverse=True)
            else:
                seen = np.bincount(pair, minlength=len(self.labels) * n_cohorts) > 0  # no sorting
                self.memo[n_cohorts] = np.flatnonzero(seen), (np.cumsum(seen) - 1)[pair]
        found: tuple[Ints, Ints] = self.memo[n_cohorts]
        return found
