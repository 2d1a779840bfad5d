"""What two models said of the same rows: counts per y_true × pred_a × pred_b × cohort, so that pairs need no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DENSE", "JointTally", "distinct_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
DENSE = 1 << 22  # combinations that a table of all of them may have; beyond, those that occur are sorted
_WIDEST = 1 << 62


@dataclass
class JointTally:
    """The combinations that occur: entry e stands for `rows[e]` rows of `cohort[e]` with these labels and predictions.

    `weight` is Σw and `square` Σw² (the rows themselves without weights; Σw for frequency weights). With clusters an entry
    lies within one, `cluster` is its code in `labels`.
    """

    n_cohorts: int
    n_classes: int
    cohort: Ints
    y_true: Ints
    first: Ints
    second: Ints
    rows: Floats
    weight: Floats
    square: Floats
    cluster: Ints | None = None
    labels: npt.NDArray[Any] | None = None

    @classmethod
    def of_counts(cls, n_cohorts: int, n_classes: int, rows: Floats, weight: Floats, square: Floats) -> JointTally:
        """From flat tables over cohort × y_true × pred_a × pred_b."""
        found = np.flatnonzero(rows)
        cohort, y_true, first, second = np.unravel_index(found, (n_cohorts, *(n_classes,) * 3))
        return cls(n_cohorts, n_classes, cohort, y_true, first, second, rows[found], weight[found], square[found])

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> JointTally:
        """Entries of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        return self._summed(cohort_of[self.cohort], n_cohorts)

    def relabel(self, place: Ints, n_classes: int) -> JointTally:
        """The same entries when class i is class `place[i]` of `n_classes`."""
        classes = {name: place[getattr(self, name)] for name in ("y_true", "first", "second")}
        return replace(self, n_classes=n_classes, **classes)

    def __add__(self, other: JointTally) -> JointTally:
        """Entries of both; cohorts and classes must be matched before, clusters are matched by label."""
        names = ("cohort", "y_true", "first", "second", "rows", "weight", "square")
        columns: Any = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        both = replace(self, **columns)
        if self.cluster is not None and other.cluster is not None:
            assert self.labels is not None
            assert other.labels is not None
            labels, index = np.unique(np.concatenate([self.labels, other.labels]), return_inverse=True)
            size = len(self.labels)
            both.labels = labels
            both.cluster = np.concatenate([index[:size][self.cluster], index[size:][other.cluster]])
        return both._summed(both.cohort, self.n_cohorts)

    def _summed(self, cohort: Ints, n_cohorts: int) -> JointTally:
        """Entries that have become alike as one."""
        keep = cohort >= 0
        names = ["y_true", "first", "second", *([] if self.cluster is None else ["cluster"])]
        columns = {"cohort": cohort[keep], **{name: getattr(self, name)[keep] for name in names}}
        clusters = 0 if self.labels is None else len(self.labels)
        first, place = distinct_of(
            list(columns.values()), [n_cohorts, *(self.n_classes,) * 3, clusters][: len(columns)]
        )
        found = {name: column[first] for name, column in columns.items()}
        for name in ("rows", "weight", "square"):
            found[name] = np.bincount(place, getattr(self, name)[keep], len(first)).astype(float)
        return replace(self, n_cohorts=n_cohorts, **found)


def distinct_of(columns: Sequence[npt.NDArray[Any]], widths: Sequence[int]) -> tuple[Ints, npt.NDArray[np.intp]]:
    """A row of every combination of codes that occurs, and the combination of each row; codes of column i < `widths[i]`."""
    key, width = columns[0].astype(np.int64), max(widths[0], 1)
    for column, size in zip(columns[1:], widths[1:], strict=True):
        if width > _WIDEST // max(size, 1):  # the joint code would not fit: number the combinations so far
            unique, key = np.unique(key, return_inverse=True)
            width = len(unique)
        key = key * size + column
        width *= max(size, 1)
    if width <= DENSE:
        seen = np.bincount(key, minlength=width) > 0
        place = (np.cumsum(seen) - 1)[key]
        first = np.empty(int(seen.sum()), np.int64)
        first[place[::-1]] = np.arange(len(key))[::-1]
        return first, place
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    return first, place
