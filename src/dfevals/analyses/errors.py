"""Which classes are taken for which, and how well each class is found (`ev.errors`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.confusion import ConfusionResult, confusion
from dfevals.analyses.metrics import measure
from dfevals.cohorts import Cohorts
from dfevals.exceptions import MetricError
from dfevals.metrics.estimands import divide
from dfevals.results.result import MetricsResult, Result
from dfevals.results.tidy import Piece, by_title, first_of, tidy
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ErrorsResult", "errors"]

Floats = npt.NDArray[np.float64]


class ErrorsResult(Result):
    """Pairs of classes that are confused, most frequent first, per model and cohort.

    Parameters
    ----------
    frame : DataFrame
        `rank, y_true, y_pred, count, share` (of the true class) with its interval, `share_of_errors`, `reverse` (the count
        of the opposite error). Pairs that do not occur are left out.
    confusion : ConfusionResult
    classes : MetricsResult
    """

    _tab = "pairs"

    def __init__(
        self, frame: pd.DataFrame, confusion: ConfusionResult, classes: MetricsResult, **described: Any
    ) -> None:
        super().__init__(frame, **described)
        self._confusion, self._classes = confusion, classes

    @property
    def confusion(self) -> ConfusionResult:
        """The whole matrix, correct decisions included."""
        return self._confusion

    @property
    def classes(self) -> MetricsResult:
        """Precision, recall and F1 of every class with intervals."""
        return self._classes

    def table(self, max_rows: int = 30, width: int | None = None) -> Any:
        """The most frequent errors of each model and cohort."""
        from dfevals.render.plain_tables import plain_table

        del width
        shown = self._frame
        if not shown["note"].astype(bool).any():
            shown = shown.drop(columns="note")
        groups = max(len(shown.drop_duplicates([*self.cohort_columns, "model"])), 1)
        top = shown[(shown["rank"] <= max(5, max_rows // groups)) | shown["rank"].isna()]
        notes = [f"{len(self._frame):,} pairs in .frame; classes in .classes, the matrix in .confusion.", *self.notes]
        return plain_table(
            top,
            title=self.title,
            notes=notes,
            cohort_columns=self.cohort_columns,
            max_rows=max(max_rows, 60),
            headings={"ci_low": "low", "ci_high": "high"},
        )

    def plot(self, kind: str = "matrix", *, model: str | None = None, ax: Axes | None = None, **options: Any) -> Any:
        """Draw the errors.

        Parameters
        ----------
        kind : {"matrix", "pairs", "classes"}
            The matrix of shares of the true class; the most frequent pairs as bars; recall of every class with intervals.
        model : str, optional
            The first when absent.
        ax : Axes, optional
            For a single panel.
        """
        from dfevals.exceptions import check_choice

        check_choice("kind", kind, ("matrix", "pairs", "classes"), MetricError)
        if kind == "matrix":
            return self._confusion.plot(model=model, normalize=True, ax=ax, **options)
        if kind == "classes":
            return self._classes.plot("forest", metric="recall", model=model, ax=ax, **options)
        from dfevals.plots.errors import draw

        chosen = self._frame["model"].iloc[0] if model is None else model
        check_choice("model", chosen, list(dict.fromkeys(self._frame["model"])), MetricError)
        frame = self._frame[(self._frame["model"] == chosen).to_numpy()]
        named = first_of(list(dict.fromkeys(self._frame["model"])), chosen, model)
        options = {"title": f"Most frequent errors · {named}", **options} if named else options
        return draw(frame, ax, cohort_columns=self.cohort_columns, **options)


def errors(
    bound: Bound, cohorts: Cohorts, models: tuple[Model, ...], *, level: float = 0.95, provenance: Any = None
) -> ErrorsResult:
    """Errors of every model, overall and per cohort."""
    if not bound.classifies:
        raise MetricError(
            f"Errors of classes need classes; this evaluation is {bound.task}. For numbers use ev.residuals()."
        )
    matrix = confusion(bound, cohorts, models, provenance, level=level)
    classes = measure(
        bound, cohorts, ["precision", "recall", "f1"], models=models, by_class=True, ci=level, provenance=provenance
    )
    labels = [str(label) for label in bound.labels]
    k, size = len(labels), cohorts.n_cohorts + 1
    names = ("count", "share", "ci_low", "ci_high")
    cells = matrix.frame[[*names]].to_numpy(float).reshape(len(models), size, k, k, len(names))
    pieces = [
        _pairs(model.name, place, cells[m, place], labels) for m, model in enumerate(models) for place in range(size)
    ]
    frame = tidy(cohorts, pieces)
    return ErrorsResult(
        frame,
        matrix,
        classes,
        provenance=provenance,
        title=by_title("Errors", cohorts),
        notes=matrix.notes,
        cohort_columns=tuple(frame.columns[: len(cohorts.names)]),
    )


def _pairs(model: str, place: int, cells: Floats, labels: list[str]) -> Piece:
    """Errors of one cohort, most frequent first; ties by the greater share of the true class.

    `cells` (K, K, 4) are counts, shares of the true class, and their bounds.
    """
    counts, shares, low, high = np.moveaxis(cells, -1, 0)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    true, pred = np.nonzero(wrong)
    of_class = counts.sum(axis=1)
    count = wrong[true, pred]
    share = shares[true, pred]
    order = np.lexsort((-share, -count))
    true, pred, count, share = true[order], pred[order], count[order], share[order]
    names = np.array(labels, dtype=object)
    columns: dict[str, Any] = {
        "rank": np.arange(1.0, len(count) + 1),
        "y_true": names[true],
        "y_pred": names[pred],
        "count": count,
        "share": share,
        "ci_low": low[true, pred],
        "ci_high": high[true, pred],
        "share_of_errors": divide(count, np.full(len(count), wrong.sum())),
        "reverse": wrong[pred, true],
        "n": of_class[true],
        "note": np.full(len(count), "", dtype=object),
    }
    if not len(count):
        reason = "no rows" if counts.sum() == 0 else "no errors"
        empty = {name: np.array([""], dtype=object) for name in ("y_true", "y_pred")}
        columns = {name: np.array([np.nan]) for name in columns} | empty | {"note": np.array([reason], dtype=object)}
        columns |= {"count": np.zeros(1), "n": np.array([counts.sum()])}
    return Piece(model, None, np.full(len(columns["n"]), place), columns)
