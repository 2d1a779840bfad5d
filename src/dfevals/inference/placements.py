"""Placements: the share of the other class that each row beats, on which the AUC and DeLong's variance rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError
from dfevals.inference.records import label_where

__all__ = ["GroupedRows", "SampleAUC", "class_notes", "complete_rows", "complete_rows_with_groups"]

Floats = NDArray[np.float64]
Ints = NDArray[np.signedinteger]
FEW_ROWS_A_GROUP = 64
"""From so many rows a group on, groups are walked one by one."""


@dataclass(frozen=True)
class GroupedRows:
    """Rows put in order of their group, with the class sizes of each group."""

    order: Ints
    codes: Ints  # group of each row, ascending
    labels: NDArray[np.bool_]
    edges: Ints  # shape (groups + 1,)
    n_pos: Floats
    n_neg: Floats

    @classmethod
    def of(cls, codes: Ints, labels: NDArray[np.bool_], groups: int) -> GroupedRows:
        order = np.argsort(codes.astype(np.int16) if groups < 2**15 else codes, kind="stable")
        rows = np.bincount(codes, minlength=groups).astype(np.float64)
        n_pos = np.bincount(codes, weights=labels, minlength=groups).astype(np.float64)
        edges = np.concatenate([[0.0], np.cumsum(rows)]).astype(np.intp)
        return cls(order, codes[order], labels[order], edges, n_pos, rows - n_pos)

    @property
    def rows(self) -> Ints:
        return np.diff(self.edges)

    def placements(self, score: Floats) -> Floats:
        """For each row the share of the other class that it beats (a positive) or loses to (a negative)."""
        values = score[self.order]
        if values.size >= FEW_ROWS_A_GROUP * max(self.n_pos.size, 1):
            return self._group_by_group(values)
        by_score = np.empty(values.size, dtype=np.intp)
        for start, stop in zip(self.edges[:-1], self.edges[1:], strict=True):
            by_score[start:stop] = np.argsort(values[start:stop]) + start
        values, labels = values[by_score], self.labels[by_score]
        opens = np.ones(values.size, dtype=bool)  # the first row of each block of ties
        opens[1:] = (values[1:] != values[:-1]) | (self.codes[1:] != self.codes[:-1])
        block = np.cumsum(opens) - 1
        start = np.flatnonzero(opens)
        pos_before = np.concatenate([[0], np.cumsum(labels)])
        pos_in_block = np.diff(np.append(pos_before[start], pos_before[-1]))
        rows_in_block = np.diff(np.append(start, values.size))
        group = self.codes[start]
        pos_below = pos_before[start] - pos_before[self.edges[group]]
        neg_below = start - self.edges[group] - pos_below
        with np.errstate(divide="ignore", invalid="ignore"):
            of_positive = (neg_below + (rows_in_block - pos_in_block) / 2) / self.n_neg[group]
            of_negative = 1 - (pos_below + pos_in_block / 2) / self.n_pos[group]
        placed = np.empty(values.size)
        placed[by_score] = np.where(labels, of_positive[block], of_negative[block])
        return placed

    def _group_by_group(self, values: Floats) -> Floats:
        """The same, one group after another, so that the arrays of a group stay in the cache."""
        placed = np.empty(values.size)
        bounds = self.edges.tolist()
        for at, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
            own, labels = values[start:stop], self.labels[start:stop]
            by_score = np.argsort(own)
            own, labels = own[by_score], labels[by_score]
            pos_up_to: NDArray[np.intp] = np.cumsum(labels)
            pos_below: NDArray[np.intp] = pos_up_to - labels
            neg_below = np.arange(stop - start) - pos_below
            n_pos, n_neg = max(self.n_pos[at], 1.0), max(self.n_neg[at], 1.0)
            opens = np.concatenate([[True], own[1:] != own[:-1]]) if stop > start else np.zeros(0, bool)
            if opens.all():
                of_positive, of_negative = neg_below / n_neg, 1 - pos_below / n_pos
            else:
                first = np.flatnonzero(opens)
                last = np.append(first[1:], stop - start) - 1
                block = np.cumsum(opens) - 1
                pos = pos_up_to[last] - pos_below[first]
                neg = last - first + 1 - pos
                of_positive = ((neg_below[first] + neg / 2) / n_neg)[block]
                of_negative = (1 - (pos_below[first] + pos / 2) / n_pos)[block]
            placed[start + by_score] = np.where(labels, of_positive, of_negative)
        return placed

    def mean_of_positives(self, placed: Floats) -> Floats:
        """The AUC of each group from its placements; NaN with one class."""
        total = np.bincount(self.codes, weights=np.where(self.labels, placed, 0.0), minlength=self.n_pos.size)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.n_neg > 0, total / self.n_pos, np.nan)

    def variance_terms(self, placed: Floats) -> tuple[Floats, Floats]:
        """Variance of the mean placement of the positives and of the negatives of each group."""
        groups = self.n_pos.size
        cell = 2 * self.codes + self.labels
        sizes = np.stack([self.n_neg, self.n_pos], axis=1).ravel()
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.bincount(cell, weights=placed, minlength=2 * groups) / sizes
            squares = np.bincount(cell, weights=(placed - mean[cell]) ** 2, minlength=2 * groups)
            terms = np.where(sizes > 1, squares / (sizes - 1) / sizes, np.nan)
        terms[terms < 1e-30] = 0.0  # rounding of constant placements
        return terms[1::2], terms[0::2]


@dataclass(frozen=True)
class SampleAUC:
    """AUC of one sample with DeLong's variance."""

    auc: float
    variance: float
    n_pos: int
    n_neg: int
    note: str
    left_out: int  # rows with a missing value

    @classmethod
    def of(cls, y_true: ArrayLike, score: ArrayLike) -> SampleAUC:
        labels, (values,) = complete_rows(y_true, score)
        layout = GroupedRows.of(np.zeros(labels.size, dtype=np.intp), labels, 1)
        placed = layout.placements(values)
        note = label_where((), **{k: (m[0], text) for k, (m, text) in class_notes(layout.n_pos, layout.n_neg).items()})
        auc = layout.mean_of_positives(placed)[0]
        of_positives, of_negatives = layout.variance_terms(placed)
        return cls(
            float(auc),
            float(of_positives[0] + of_negatives[0]),
            int(layout.n_pos[0]),
            int(layout.n_neg[0]),
            note,
            np.size(score) - labels.size,
        )

    @property
    def n(self) -> int:
        return self.n_pos + self.n_neg


def class_notes(n_pos: Floats, n_neg: Floats, least: int = 2) -> dict[str, tuple[NDArray[np.bool_], str]]:
    """Why an AUC or its variance is undefined."""
    smaller = np.minimum(n_pos, n_neg)
    notes = {
        "empty": (np.maximum(n_pos, n_neg) == 0, "no rows"),
        "one_class": (smaller == 0, "one class"),
    }
    if least > 1:
        notes["single"] = (smaller < least, "a single row of one class")
    return notes


def complete_rows(y_true: ArrayLike, *scores: ArrayLike) -> tuple[NDArray[np.bool_], list[Floats]]:
    """Labels as Booleans and scores as floats, without the rows where any of them is missing."""
    labels, values, _ = complete_rows_with_groups(None, y_true, *scores)
    return labels, values


def complete_rows_with_groups(
    groups: NDArray[np.integer] | None, y_true: ArrayLike, *scores: ArrayLike
) -> tuple[NDArray[np.bool_], list[Floats], NDArray[np.intp]]:
    """Labels, scores and group codes of the rows where nothing is missing and the group is not negative.

    Raises
    ------
    DataError
        Lengths differ, or y_true is not 0/1.
    """
    labels = np.asarray(y_true)
    values = [_floats(score, "The scores") for score in scores]
    codes = np.zeros(labels.shape, dtype=np.intp) if groups is None else groups
    lengths = [array.shape for array in (labels, codes, *values)]
    if len(set(lengths)) > 1 or labels.ndim != 1:
        raise DataError(f"labels and scores must be one-dimensional and of equal length; found shapes {lengths}.")
    keep = codes >= 0
    for score in values:
        keep &= ~np.isnan(score)
    if labels.dtype != bool:
        numbers = _floats(labels, "y_true")
        keep &= ~np.isnan(numbers)
        wrong = numbers[keep & (numbers != 0) & (numbers != 1)]
        if wrong.size:
            raise DataError(f"y_true must be Boolean or 0/1, with 1 for the positive class; found {wrong[0]:g}.")
        labels = numbers == 1
    if keep.all():
        return labels, values, codes.astype(np.intp, copy=False)
    return labels[keep], [score[keep] for score in values], codes[keep].astype(np.intp, copy=False)


def _floats(given: ArrayLike, name: str) -> Floats:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        found = next(iter(np.asarray(given, dtype=object).ravel()), None)
        hint = ": y == 'the positive label'" if name == "y_true" else ""
        raise DataError(f"{name} must be numbers (labels: Boolean or 0/1{hint}); found {found!r}.") from None
