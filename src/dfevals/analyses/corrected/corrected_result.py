"""What `ev.corrected` answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import render
from dfevals.analyses.corrected.labelling import Labelling, Plan
from dfevals.exceptions import DataError
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import drawn_models, first_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CorrectedResult"]

BESIDE = ["n", "human_low", "human_high"]


class CorrectedResult(Result):
    """Means of human labels per cohort; `frame` has cohort columns, `outcome, [model,] value, ci_low, ci_high, n, n_judged,
    n_human, judge_value, human_value, human_low, human_high, sensitivity, specificity, labels_saved, method, note, is_overall`.

    `labels_saved` is how many more labels would be needed to know as much without the judge; `method` says what the value
    rests on ("wilson" and "t" are the labels alone).
    """

    def __init__(self, frame: pd.DataFrame, *, plans: Sequence[Plan], labelling: Labelling, **described: Any) -> None:
        super().__init__(frame, **described)
        self._plans = tuple(plans)
        self._labelling = labelling

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """Corrected values beside those of the judge and of the labels alone."""
        del width
        empty = [name for name in ("sensitivity", "specificity") if self._frame[name].isna().all()]
        shown = self._frame.drop(columns=[*BESIDE, *empty, *([] if (self._frame["note"] != "").any() else ["note"])])
        return plain_table(
            shown, title=self.title, notes=self.notes, cohort_columns=self.cohort_columns, max_rows=max_rows
        )

    def plan(self, width: float = 0.05) -> Result:
        """How many labels, picked at random, give an interval of this width with method "ppi", per cohort.

        Parameters
        ----------
        width : float
            From the lower to the upper end.

        Returns
        -------
        Result
            `.frame` has cohort columns, `n_human, n_judged, width_now, labels_needed, more, note`: `labels_needed` counts
            those that there are, `more` does not.

        Raises
        ------
        DataError
            `width` is not a positive number.
        """
        if not (isinstance(width, int | float) and 0 < width < np.inf):
            raise DataError(f"width={width!r} must be a positive number, such as 0.05.")
        needed = [plan.needed(width) for plan in self._plans]
        keys = [*self.cohort_columns, *(["model"] if "model" in self._frame else [])]
        frame = self._frame[[*keys, "n_human", "n_judged"]].assign(
            width_now=[plan.width(plan.n_human) if plan.n_human > 1 else np.nan for plan in self._plans],
            labels_needed=[n for n, _ in needed],
            more=[max(n - plan.n_human, 0.0) for (n, _), plan in zip(needed, self._plans, strict=True)],
            note=[why for _, why in needed],
            is_overall=self._frame["is_overall"],
        )
        notes = ["As far as the labels at hand tell how the judge errs; ask again once there are more."]
        return Result(
            frame,
            provenance=self.provenance,
            title=f"Labels for an interval of width {width:g}",
            notes=notes,
            cohort_columns=self.cohort_columns,
        )

    def next_labels(self, n: int, random_state: Any = 0) -> pd.DataFrame:
        """Which rows to label next: most often those about which the judge leaves most open, each with a known chance.

        Parameters
        ----------
        n : int
            How many.
        random_state : int

        Returns
        -------
        DataFrame
            All judged rows with `label_next` (the n rows to be labelled) and `probability`, by whose inverse each label,
            old or new, counts so that the estimate stays unbiased. Fill in the labels and ask
            `corrected(…, probability="probability")` of this frame. The labels that there were are taken as picked at random,
            unless their `probability=` was given.

        Raises
        ------
        DataError
            There are fewer than n judged rows without a label.
        """
        return self._labelling.pick(n, random_state)

    def plot(self, *, model: str | None = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the judge alone, the corrected value and the labels alone, per cohort.

        Parameters
        ----------
        model : str, optional
            In a long frame; the first when absent.
        ax : Axes, optional
        **options
            As of `dfevals.plots.forest.draw`.
        """
        from dfevals.plots import corrected

        names = list(dict.fromkeys(self._frame["model"])) if "model" in self._frame else []
        chosen = drawn_models(names, model, True)[0] if names else None
        part = self._frame if chosen is None else self._frame[self._frame["model"] == chosen]
        return corrected.draw(
            part,
            ax,
            cohort_columns=self.cohort_columns,
            named=first_of(names, chosen, model),
            level=self._level,
            **options,
        )
