"""The greedy error map: the fewest slices that cover the most errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.analyses.slices.search import Found
from dfevals.exceptions import DataError
from dfevals.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SliceMapResult", "error_map"]

CANDIDATES = 100
LEAST = 0.01  # of the errors, that a slice must add


class SliceMapResult(Result):
    """Slices in the order in which they cover errors; together they cover more with each step.

    Frame columns: `slice, n, n_new` (rows that no slice before holds), `share_of_errors` (of the new rows),
    `errors_covered` and `rows_covered` (shares of all, by this and the slices before), `value_new` (of the new rows), `value`.
    """

    _tab = ""

    def plot(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the errors that the slices cover beside the rows that they take."""
        from dfevals.plots.slices import draw_map

        return draw_map(self._frame, ax, title=self.title, **options)

    def _focus(self) -> dict[str, Any]:
        return {"by": {text: text for text in self._frame["slice"]}} if len(self._frame) else {}


def error_map(found: Found, k: int, described: dict[str, Any]) -> SliceMapResult:
    """Cover errors greedily by slices that are worse than the rest beyond chance.

    Each step takes the slice with the greatest excess over the mean among rows that are not yet covered; it ends where none
    adds a hundredth of the errors.
    """
    run, losses, family = found.run, found.run.losses, found.run.family
    if k < 1:
        raise DataError(f"k={k!r} must be a number of slices of at least 1.")
    if losses.harm is None:
        raise DataError(
            f"{losses.metric!r} says neither that more nor that less is worse, so there are no errors to cover."
        )
    worse = (
        np.flatnonzero((losses.worse * found.z > 0) & (found.p <= run.asked.alpha)) if len(family) else np.zeros(0, int)
    )
    worse = worse[np.argsort(-np.abs(found.z[worse]), kind="stable")[:CANDIDATES]]
    count = np.ones(len(losses)) if losses.weight is None else losses.weight
    harm = losses.harm * count
    left, rows = np.ones(len(losses), bool), []
    masks = [family.mask(int(family.slices[i])) for i in worse]
    mean = harm.sum() / count.sum() if count.sum() else 0.0
    for _ in range(min(k, len(masks))):
        excess = [float(harm[new].sum() - mean * count[new].sum()) for new in (mask & left for mask in masks)]
        best = int(np.argmax(excess))
        if excess[best] <= 0 or harm[masks[best] & left].sum() < LEAST * harm.sum():
            break
        new = masks[best] & left
        left &= ~masks[best]
        rows.append((run.expression(int(family.slices[worse[best]])), masks[best], new, ~left))
    table = [_row(losses, count, harm, *row) for row in rows]
    frame = pd.DataFrame(table, columns=list(COLUMNS))
    notes = [] if len(frame) else ["No slice is worse than the rest beyond chance, so nothing is covered."]
    return SliceMapResult(frame, notes=notes, cohort_columns=["slice"], **described)


COLUMNS = ("slice", "n", "n_new", "share_of_errors", "errors_covered", "rows_covered", "value", "value_new")


def _row(losses: Any, count: Any, harm: Any, text: str, own: Any, new: Any, covered: Any) -> tuple[Any, ...]:
    rows = np.ones(len(losses)) if losses.count is None else losses.count
    counted = np.ones(len(losses), bool) if losses.counted is None else losses.counted
    total = harm.sum()

    def value(mask: Any) -> float:
        inside = mask & counted
        weight = count[inside].sum()
        return float((count[inside] * losses.value[inside]).sum() / weight) if weight else np.nan

    shares = [float(harm[mask].sum() / total) if total else np.nan for mask in (new, covered)]
    return (
        text,
        int(rows[own].sum()),
        int(rows[new].sum()),
        *shares,
        float(count[covered].sum() / count.sum()),
        value(own),
        value(new),
    )
