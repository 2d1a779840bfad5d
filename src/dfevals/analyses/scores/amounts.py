"""Amounts of money that differ from row to row, summed along the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.ranked import Ranked
from dfevals.analyses.scores.score_steps import Sums, rows_below, sums_below
from dfevals.cohorts import Cohorts
from dfevals.engines.frame import Pass
from dfevals.estimates.asked import views_of
from dfevals.exceptions import DataError, RoleError, did_you_mean
from dfevals.roles.bound import Bound
from dfevals.tally import ScoreTally

__all__ = ["AmountSums", "above", "amounts_of", "check_amounts", "whole"]

Floats = npt.NDArray[np.float64]
#: Of rows: (class is positive, amounts by column) → amount if acted on, amount if left.
RowAmounts = Callable[[npt.NDArray[np.bool_], dict[str, Floats]], tuple[Floats, Floats]]


@dataclass(frozen=True)
class AmountSums:
    """Amounts of disjoint cohorts at the score of each row: if the row is acted on, and if it is left."""

    acted: ScoreTally
    left: ScoreTally

    def total(self, thresholds: Floats) -> Floats:
        """Amount if the rows that score at least the threshold are acted on, (cohorts, thresholds), ascending."""
        acted, left = above(self.acted, thresholds), above(self.left, thresholds)
        rest = whole(self.left)
        return np.asarray(acted.pos + acted.neg + (rest.pos + rest.neg) - (left.pos + left.neg))


def above(tally: ScoreTally, thresholds: Floats) -> Sums:
    """Amounts (and squared amounts) of the rows that score at least the threshold, (cohorts, thresholds), ascending."""
    below, everything = sums_below(tally, rows_below(tally, thresholds)), whole(tally)
    nothing = np.isposinf(thresholds)
    parts = (getattr(everything, name) - getattr(below, name) for name in ("pos", "neg", "pos_sq", "neg_sq"))
    return Sums(*(np.where(nothing, 0.0, part) for part in parts))


def whole(tally: ScoreTally) -> Sums:
    """Amounts of all rows, (cohorts, 1)."""
    return sums_below(tally, tally.offsets[1:, None])


def check_amounts(bound: Bound, names: tuple[str, ...], what: str) -> None:
    """Refuse columns that are missing or hold missing amounts.

    Raises
    ------
    RoleError
        The column is not in the frame.
    DataError
        An amount is missing or infinite.
    """
    for name in names:
        if name not in bound.head.columns:
            raise RoleError(
                f"{what} names the column {name!r}, which is not in the frame. {did_you_mean(name, bound.head.columns, noun='Columns')}"
            )
        values = bound.numbers(name, what).all()
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise DataError(
                f"{what}: column {name!r} has {bad:,} missing or infinite amounts. Fill them, or leave those rows out with ev.where(...)."
            )


def amounts_of(
    bound: Bound, cohorts: Cohorts, source: Ranked, columns: tuple[str, ...], rule: RowAmounts
) -> AmountSums:
    """Sums of amounts along the score of one model, in the cohorts of `source`; a pass over the rows."""
    run = Pass(bound, source.model, cohorts)
    positive = 1 if source.label is None else bound.labels.index(source.label)
    name = source.model.y_score[0 if source.label is None else positive]
    parts: list[tuple[Any, ...]] = []
    for block, atoms in run.blocks():
        label = block.y_true == positive
        amounts = rule(label, {key: block.number(key, "cost") for key in columns})
        acted, left = amounts if block.weight is None else (amount * block.weight for amount in amounts)
        parts.append((atoms, block.number(name, "y_score"), label, acted, left))
    codes, score, label, acted, left = (np.concatenate(part) for part in zip(*parts, strict=True))
    view = next(view for view in views_of(cohorts) if np.array_equal(view.cohorts, source.at))
    found = []
    for amount in (acted, left):
        tally = ScoreTally.collect(codes, cohorts.n_atoms, score, label, amount)
        found.append(tally if view.positions is None else tally.regroup(view.positions, len(view.cohorts)))
    return AmountSums(*found)
