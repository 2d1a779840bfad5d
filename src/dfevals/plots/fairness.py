"""Criteria of fairness as a forest: differences around 0, or ratios around 1 with the mark of four fifths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfevals.plots import forest, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

MARKS = {"differences": ((0.0, "-"),), "ratios": ((1.0, "-"), (0.8, ":"))}
UNLIKE = "treatment_equality"  # numbers of errors per error, beside shares of rows
NAMES = {"differences": "difference", "ratios": "ratio"}


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    kind: str = "differences",
    cohort_columns: Sequence[str] = (),
    against: str = "",
    title: str = "",
    level: float | None = 0.95,
    limit: int = 60,
    dark: bool | None = None,
    **options: Any,
) -> Axes:
    """Draw differences or ratios of groups by criterion.

    Parameters
    ----------
    frame : DataFrame
        `criterion, difference, difference_low, difference_high, ratio, …, model`, as of `ev.fairness`.
    ax : Axes, optional
    kind : {"differences", "ratios"}
    cohort_columns : sequence of str
        Of the groups that stand beside a reference.
    against : str
        The reference; empty between extremes.
    title : str
    level : float or None
    limit : int
        Rows drawn at most.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
    """
    name = NAMES[kind]
    shown = frame[frame[name].notna()] if kind == "ratios" else frame
    odd = (shown["criterion"] == UNLIKE).to_numpy()
    apart = kind == "differences" and odd.any() and not odd.all()
    shown = shown[~odd] if apart else shown
    moved = {name: "value", f"{name}_low": "ci_low", f"{name}_high": "ci_high"}
    keys = [*cohort_columns, *(["class"] if "class" in shown else []), "criterion"]
    part = shown[[*keys, "model", *moved, "note"]].rename(columns=moved).assign(metric=name)
    what = {"differences": "Differences", "ratios": "Ratios"}[kind]
    heading = title or (f"{what} to {against}" if against else f"{what} between the extreme groups")
    named = [key for key in keys if key != "class"]
    drawn = forest.draw(
        part, ax, cohort_columns=named, title=heading, level=level, limit=limit, dark=dark, show_n=False, **options
    )
    if apart:
        told = f"{UNLIKE} has another scale: see the ratios, or criterion="
        drawn.annotate(told, (0, 0), (0, -38), xycoords="axes fraction", textcoords="offset points", fontsize=8,
                       color=style.ink(drawn)[1])  # fmt: skip
    with style.theme(dark):
        low, high = drawn.get_xlim()
        for place, dash in MARKS[kind]:
            if place != 0.8 or low < place < high:
                drawn.axvline(place, color=style.ink(drawn)[1], linewidth=1, linestyle=dash, zorder=1, gid="mark")
        marks = [place for place, _ in MARKS[kind] if place != 0.8]
        margin = 0.03 * (high - low)
        drawn.set_xlim(
            min(low, *marks) - (min(marks) <= low) * margin, max(high, *marks) + (max(marks) >= high) * margin
        )
    return drawn
