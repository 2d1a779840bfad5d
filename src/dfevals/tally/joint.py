"""What several models said of the same rows: counts and moments of them together, so that pairs need no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally.moments import MomentTally

__all__ = ["DENSE", "JointMomentTally", "JointTally", "distinct_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
DENSE = 1 << 22  # combinations that a table of all of them may have; beyond, those that occur are sorted
_WIDEST = 1 << 62


@dataclass
class JointTally:
    """The combinations that occur: entry e stands for `rows[e]` rows of `cohort[e]` with these labels and predictions.

    `said` (models, entries) is what each model predicted. `weight` is Σw and `square` Σw² (the rows themselves without
    weights; Σw for frequency weights). With clusters an entry lies within one, `cluster` is its code in `labels`.
    """

    n_cohorts: int
    n_classes: int
    cohort: Ints
    y_true: Ints
    said: Ints
    rows: Floats
    weight: Floats
    square: Floats
    cluster: Ints | None = None
    labels: npt.NDArray[Any] | None = None

    @classmethod
    def of_table(cls, n_cohorts: int, n_classes: int, models: int, sums: Floats) -> JointTally:
        """From rows, Σw and Σw² of flat tables over cohort × y_true × predictions."""
        found = np.flatnonzero(sums[0])
        cohort, y_true, *said = np.unravel_index(found, (n_cohorts, *(n_classes,) * (models + 1)))
        return cls(n_cohorts, n_classes, cohort, y_true, np.stack(said), *sums[:, found])

    @property
    def first(self) -> Ints:
        """Predictions of the first model."""
        return self.said[0]

    @property
    def second(self) -> Ints:
        """Predictions of the second model."""
        return self.said[1]

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> JointTally:
        """Entries of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        return replace(self, n_cohorts=n_cohorts, cohort=cohort_of[self.cohort])._summed()

    def relabel(self, place: Ints, n_classes: int) -> JointTally:
        """The same entries when class i is class `place[i]` of `n_classes`."""
        return replace(self, n_classes=n_classes, y_true=place[self.y_true], said=place[self.said])

    def only(self, models: Sequence[int]) -> JointTally:
        """What some of the models said."""
        return replace(self, said=self.said[list(models)])._summed()

    def scaled(self, scale: float) -> JointTally:
        """The same with weights times a constant."""
        return self if scale == 1 else replace(self, weight=self.weight * scale, square=self.square * scale**2)

    def __add__(self, other: JointTally) -> JointTally:
        """Entries of both; cohorts and classes must be matched before, clusters are matched by label."""
        return self.total([self, other])

    @classmethod
    def total(cls, parts: Sequence[JointTally]) -> JointTally:
        """Entries of all parts."""
        names = ("cohort", "y_true", "said", "rows", "weight", "square")
        columns: Any = {name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names}
        both = replace(parts[0], **columns)
        if both.cluster is not None:
            both.labels, both.cluster = _matched(parts)
        return both._summed()

    def _summed(self) -> JointTally:
        """Entries that have become alike as one."""
        keep = self.cohort >= 0
        columns = [self.cohort[keep], self.y_true[keep], *self.said[:, keep]]
        widths = [self.n_cohorts, *(self.n_classes,) * (len(self.said) + 1)]
        if self.cluster is not None:
            columns.append(self.cluster[keep])
            widths.append(0 if self.labels is None else len(self.labels))
        first, place = distinct_of(columns, widths)
        found: dict[str, Any] = {"cohort": columns[0][first], "y_true": columns[1][first]}
        found["said"] = self.said[:, keep][:, first]
        if self.cluster is not None:
            found["cluster"] = columns[-1][first]
        for name in ("rows", "weight", "square"):
            found[name] = np.bincount(place, getattr(self, name)[keep], len(first)).astype(float)
        return replace(self, **found)


def _matched(parts: Sequence[JointTally]) -> tuple[npt.NDArray[Any], Ints]:
    """Cluster labels of all parts together, and the code of every entry among them."""
    named: list[Any] = [part.labels for part in parts]
    codes: list[Any] = [part.cluster for part in parts]
    if all(labels is named[0] for labels in named):
        return named[0], np.concatenate(codes)
    labels, index = np.unique(np.concatenate(named), return_inverse=True)
    ends = np.cumsum([len(own) for own in named])[:-1]
    return labels, np.concatenate([at[code] for at, code in zip(np.split(index, ends), codes, strict=True)])


@dataclass
class JointMomentTally:
    """Moments of a number of the first model and of its differences to the others, per cohort and true class.

    Column e of `moments` holds the rows of class `y_true[e]` (0 where there are no classes) in `cohort[e]`.
    """

    n_cohorts: int
    n_classes: int
    cohort: Ints
    y_true: Ints
    moments: MomentTally

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> JointMomentTally:
        """Moments of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        found, place = self._places(cohort_of[self.cohort], self.y_true, n_cohorts)
        return replace(found, moments=self.moments.regroup(place, len(found.cohort)))

    def relabel(self, place: Ints, n_classes: int) -> JointMomentTally:
        """The same when class i is class `place[i]` of `n_classes`."""
        return replace(self, n_classes=n_classes, y_true=place[self.y_true] if self.n_classes else self.y_true)

    def __add__(self, other: JointMomentTally) -> JointMomentTally:
        """Moments of both; cohorts and classes must be matched before."""
        cohort, y_true = (np.concatenate([getattr(t, name) for t in (self, other)]) for name in ("cohort", "y_true"))
        found, place = self._places(cohort, y_true, self.n_cohorts)
        sides = zip((self, other), np.split(place, [len(self.cohort)]), strict=True)
        mine, theirs = (side.moments.regroup(at, len(found.cohort)) for side, at in sides)
        return replace(found, moments=mine + theirs)

    def _places(self, cohort: Ints, y_true: Ints, n_cohorts: int) -> tuple[JointMomentTally, Ints]:
        """The columns that remain of these cohorts and classes, and the place of each among them (−1: none)."""
        keep = np.flatnonzero(cohort >= 0)
        first, at = distinct_of([cohort[keep], y_true[keep]], [n_cohorts, max(self.n_classes, 1)])
        place = np.full(len(cohort), -1)
        place[keep] = at
        return replace(self, n_cohorts=n_cohorts, cohort=cohort[keep][first], y_true=y_true[keep][first]), place

    def only(self, models: Sequence[int]) -> JointMomentTally:
        """The number of the first of some of the models, and its differences to the others."""
        size = len(self.moments.mean)
        one = [np.eye(size)[0] - (np.eye(size)[j] if j else 0) for j in models]
        matrix = np.stack([one[0], *(one[0] - other for other in one[1:])])
        return replace(self, moments=self.moments.transformed(matrix))

    def by_cohort(self) -> MomentTally:
        """Moments of every cohort, all classes together."""
        return self.moments.regroup(self.cohort, self.n_cohorts)


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
