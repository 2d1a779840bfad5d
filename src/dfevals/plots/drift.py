"""How far columns have moved, as a forest; and one column's distributions, before and now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.exceptions import DataError, check_choice
from dfevals.plots import forest, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "draw_bins"]


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    least: float = 0.1,
    level: float | None = 0.95,
    cohort_columns: Sequence[str] = (),
    title: str = "",
    limit: int = 40,
    dark: bool | None = None,
    **options: Any,
) -> Axes:
    """Draw the effect of every column with its interval, and the least effect that matters.

    Parameters
    ----------
    frame : DataFrame
        `column, effect, effect_low, effect_high, n`, as of `ev.drift`.
    ax : Axes, optional
    least : float
        The least effect that matters, drawn as a line.
    level : float or None
    cohort_columns : sequence of str
    title : str
    limit : int
        Rows drawn at most.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
    """
    names = {"effect": "value", "effect_low": "ci_low", "effect_high": "ci_high"}
    part = frame[[*cohort_columns, "column", *names, "n", "note"]].rename(columns=names).assign(metric="effect")
    keys = [*cohort_columns, "column"]
    drawn = forest.draw(part, ax, cohort_columns=keys, title=title, level=level, limit=limit, dark=dark, **options)
    with style.theme(dark):
        drawn.axvline(least, color=style.ink(drawn)[1], linewidth=1, linestyle=":", zorder=1, gid="mark")
        drawn.set_xlim(min(0.0, drawn.get_xlim()[0]), max(drawn.get_xlim()[1], least * 1.2))
    return drawn


def draw_bins(
    bins: pd.DataFrame, ax: Axes | None = None, *, column: str | None = None, title: str = "", dark: bool | None = None
) -> Axes:
    """Draw the shares of one column's bins, reference beside current rows.

    Parameters
    ----------
    bins : DataFrame
        `column, bin, share_reference, share`.
    ax : Axes, optional
    column : str, optional
        The first when absent.
    title : str
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        There is no such column, or none.
    """
    known = list(dict.fromkeys(bins["column"]))
    if not known:
        raise DataError("No column could be compared, so there are no distributions to draw.")
    if column is not None:
        check_choice("column", column, known, DataError)
    name = known[0] if column is None else column
    part = bins[(bins["column"] == name).to_numpy()]
    names = [style.plain(text) for text in part["bin"]]
    y = np.arange(len(part))
    with style.theme(dark):
        longest = max(map(len, names), default=0)
        ax = panels.single(ax, (5.4 + 0.06 * max(longest - 12, 0), 1.3 + 0.34 * len(part)))
        before, now = style.color(ax, 1), style.color(ax, 0)
        ax.barh(
            y - 0.19, part["share_reference"], 0.36, color="none", edgecolor=before, linewidth=1.2, label="reference"
        )
        ax.barh(y + 0.19, part["share"], 0.36, color=now, label="now")
        ax.set_yticks(y, names)
        ax.invert_yaxis()
        ax.set_xlabel("share of rows")
        ax.set_title(f"{title}: {style.plain(name)}" if title else style.plain(name))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.5 / (0.8 + 0.34 * len(part))), ncols=2, frameon=False)
    moved = ", ".join(
        f"{n} {a:.1%} to {b:.1%}" for n, a, b in zip(names, part["share_reference"], part["share"], strict=True)
    )
    style.describe(ax, f"Shares of {style.plain(name)} before and now: {moved}.")
    return ax
