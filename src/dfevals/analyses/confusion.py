"""Confusion matrices per cohort (`ev.confusion`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.estimates.asked import views_of
from dfevals.estimates.shares import class_shares
from dfevals.exceptions import MetricError, check_choice
from dfevals.inference.levels import check_level
from dfevals.needs import Cells
from dfevals.results.result import Result
from dfevals.results.tidy import by_title, first_of, framed, left_out, whole
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally import CellTally, ManyCells

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ConfusionResult", "confusion"]


class ConfusionResult(Result):
    """Counts of every pair of true and predicted class, and their share of the true class with its interval.

    Parameters
    ----------
    frame : DataFrame
        One row per cell.
    pos_label : str, optional
        The positive class of a binary task: the chart names its cells TP, FP, FN and TN.
    """

    _tab = "confusion"

    def __init__(self, frame: pd.DataFrame, *, pos_label: str | None = None, **described: Any) -> None:
        super().__init__(frame, **described)
        self._pos_label = pos_label

    def wide(self) -> pd.DataFrame:
        """True classes as rows and predicted classes as columns, per model and cohort."""
        index = [*self.cohort_columns, "model", "y_true"]
        return self._frame.pivot_table("count", index, "y_pred", observed=True, sort=False)

    def plot(self, *, model: str | None = None, normalize: bool = False, ax: Axes | None = None, **options: Any) -> Any:
        """Heat map of counts and shares, one panel per cohort; the cells of a binary task are named TP, FP, FN and TN.

        Parameters
        ----------
        model : str, optional
            The first model when absent.
        normalize : bool
            Colour by the share of the true class instead of the count.
        ax : matplotlib Axes, optional
            For a single panel.
        """
        from dfevals.plots.confusion import draw

        names = list(dict.fromkeys(self._frame["model"]))
        chosen = names[0] if model is None else model
        check_choice("model", chosen, names, MetricError)
        named = {"title": first_of(names, chosen, model), "pos_label": self._pos_label, **options}
        frame = self._frame[self._frame["model"] == chosen]
        return draw(frame, ax, cohort_columns=self.cohort_columns, normalize=normalize, **named)


def confusion(
    bound: Bound, cohorts: Cohorts, models: tuple[Model, ...], provenance: Any = None, *, level: float = 0.95
) -> ConfusionResult:
    """Confusion matrices of every model, overall and per cohort."""
    if not bound.classifies:
        raise MetricError(
            f"A confusion matrix needs classes; this evaluation is {bound.task}. For numbers use ev.residuals()."
        )
    check_level(level)
    labels = [str(label) for label in bound.labels]
    k, size = len(labels), cohorts.n_cohorts + 1
    frames, notes = [], list(cohorts.notes)
    for model in models:
        tally = collect(bound, model, cohorts, [Cells()])
        cells = np.zeros((4, size, k, k))  # counts, shares and their bounds
        for view in views_of(cohorts):
            atoms = tally.parts[Cells()]
            assert isinstance(atoms, CellTally | ManyCells)
            part = atoms if view.positions is None else atoms.regroup(view.positions, len(view.cohorts))
            if len(view.cohorts):
                found = np.stack([part.tables()[0], *class_shares(part, level)])
                cells[:, view.cohorts] = found.transpose(0, 3, 1, 2)
        notes += left_out(model.name, tally.dropped)
        frames.append(_frame(model.name, cells, cohorts, labels))
    frame = pd.concat(frames, ignore_index=True)
    if part.square is not None:
        notes.append("Rows are weighted: counts are sums of weights, and intervals use the effective number of rows.")
    if bound.cluster is not None:
        notes.append(f"{bound.dependence} are not independent: intervals are cluster-robust.")
    positive = str(bound.pos_label) if bound.task == "binary" else None
    described: dict[str, Any] = {
        "title": by_title("Confusion", cohorts),
        "notes": notes,
        "cohort_columns": tuple(frame.columns[: len(cohorts.names)]),
    }
    return ConfusionResult(frame, pos_label=positive, provenance=provenance, **described)


def _frame(model: str, cells: Any, cohorts: Cohorts, labels: list[str]) -> pd.DataFrame:
    size, k = cells.shape[1:3]
    counts, share, low, high = (part.ravel() for part in cells)
    place = np.repeat(np.arange(size), k * k)
    columns: dict[str, Any] = {
        "model": model,
        "y_true": np.tile(np.repeat(np.array(labels, dtype=object), k), size),
        "y_pred": np.tile(np.array(labels, dtype=object), size * k),
        "count": whole(counts),
        "share": share,
        "ci_low": low,
        "ci_high": high,
        "n": whole(np.repeat(cells[0].sum(axis=(1, 2)), k * k)),
    }
    return framed(cohorts, place, columns)
