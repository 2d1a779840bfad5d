"""Forest of what the judge says, what is true of it by the labels, and what the labels say alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.plots import forest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

SIDES = {
    "corrected": ("value", "ci_low", "ci_high"),
    "labels alone": ("human_value", "human_low", "human_high"),
    "judge alone": ("judge_value", None, None),
}


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    named: str = "",
    title: str = "",
    level: float | None = 0.95,
    **options: Any,
) -> Axes:
    """Draw the three values of every cohort; the judge alone has no interval, because its error is not one of chance.

    Parameters
    ----------
    frame : DataFrame
        As of `ev.corrected`, of one model.
    ax : Axes, optional
    cohort_columns : sequence of str
    named : str
        Of the model whose rows they are, for the title.
    title : str
    level : float or None
    **options
        As of `dfevals.plots.forest.draw`.

    Returns
    -------
    Axes
    """
    part, outcome = frame, str(frame["outcome"].iloc[0])
    keys = [*cohort_columns, "is_overall", "note"]
    sides = []
    for name, columns in SIDES.items():
        ends = [part[column].to_numpy() if column else np.full(len(part), np.nan) for column in columns]
        side = part[keys].assign(model=name, metric=outcome, n=part["n_human"])
        sides.append(side.assign(value=ends[0], ci_low=ends[1], ci_high=ends[2]))
    heading = title or f"{outcome}, corrected" + (f": {named}" if named else "")
    return forest.draw(
        pd.concat(sides, ignore_index=True), ax, cohort_columns=cohort_columns, title=heading, level=level, **options
    )
