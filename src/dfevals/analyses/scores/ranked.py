"""Sorted scores of every model, class and cohort, and the tidy frame of what is read from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.estimates.asked import undecided, views_of
from dfevals.estimates.estimate import Part
from dfevals.exceptions import MetricError
from dfevals.needs import Cells, Scores
from dfevals.results.tidy import left_out
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally import CellTally, CellView, ManyCells, MarginView, ScoreTally

__all__ = [
    "Ranked",
    "ranked",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranked:
    """One model's score (of one class against the rest) in cohorts that do not overlap.

    Attributes
    ----------
    model : Model
    label : object
        The class against the rest; None in a binary task.
    at : array of int, shape (cohorts,)
        Places of the cohorts in the result; 0 is overall.
    tally : ScoreTally
        Its cohort i is the result's cohort `at[i]`.
    cells : CellTally or None
        Decisions as the model makes them, one against the rest: 2 × 2 × cohorts; where they were asked for.
    threshold : float
        Where the model's scores are cut; NaN where decisions do not come from one cut.
    """

    model: Model
    label: Any
    at: Ints
    tally: ScoreTally
    cells: CellTally | None
    threshold: float


def ranked(
    bound: Bound, cohorts: Cohorts, models: Iterable[Model], notes: list[str], what: str, *, decisions: bool = True
) -> Iterator[Ranked]:
    """Sorted scores of every model and class: one pass per model; what was left out is added to `notes`.

    `decisions`: whether the cells of the decisions made now are collected too.

    Raises
    ------
    MetricError
        There are no classes, or no scores.
    """
    chosen = tuple(models)
    _check(bound, chosen, what)
    classes: list[Any] = [None] if bound.task == "binary" else list(range(len(bound.labels)))
    needs = [Scores() if k is None else Scores(positive=k) for k in classes]
    notes.extend(cohorts.notes)
    if bound.cluster is not None:
        notes.append(
            f"{bound.dependence} are not independent: intervals count as many rows as they are worth (design "
            "effects), and areas use cluster-robust variances."
        )
    for model in chosen:
        decided = decisions and bound.decides(model)
        notes.extend(undecided(bound, [model]) if decisions else [])
        tally = collect(bound, model, cohorts, [*needs, *([Cells()] if decided else [])])
        notes += left_out(model.name, tally.dropped)
        own = bound.task == "binary" and model.y_pred is None and bound.decides(model)
        cut = bound.threshold(model) if own else np.nan
        for view in views_of(cohorts):
            if not len(view.cohorts):
                continue
            part = Part(tally, view.positions, len(view.cohorts))
            for k, need in zip(classes, needs, strict=True):
                cells = _against_rest(part.get(Cells()), k) if decided else None
                yield Ranked(model, None if k is None else bound.labels[k], view.cohorts, part.get(need), cells, cut)


def _check(bound: Bound, models: Sequence[Model], what: str) -> None:
    if not bound.classifies:
        hint = "ev.residuals() shows errors of numbers." if bound.task == "regression" else "Pass y_true= and y_score=."
        raise MetricError(f"{what} need classes and scores; this evaluation is {bound.task}. {hint}")
    if not models:
        raise MetricError(f"{what} need a score. Pass y_score=.")
    for model in models:
        if not model.y_score:
            raise MetricError(
                f"{what} need a score, and model {model.name!r} has only predictions. Pass y_score= with the score of the positive class."
            )


def _against_rest(tally: CellTally | ManyCells, k: int | None) -> CellTally:
    """2 × 2 cells of class k against the rest."""
    if isinstance(tally, CellTally) and k is None:
        return tally

    def fold(cells: CellView | MarginView) -> Floats:
        return np.array([[cells.tn[k], cells.fp[k]], [cells.fn[k], cells.tp[k]]])

    return CellTally(fold(tally.view("classes")), None if tally.square is None else fold(tally.squares("classes")))
