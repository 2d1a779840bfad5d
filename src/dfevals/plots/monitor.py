"""A run chart: a metric by period with control limits, and where it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.columns.codes import OVERALL
from dfevals.exceptions import DataError, check_choice
from dfevals.plots import panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

TICKS = 10


def draw(
    frame: pd.DataFrame,
    alarms: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort: Any = None,
    model: str | None = None,
    cohort_columns: Sequence[str] = (),
    title: str = "",
    level: float | None = 0.95,
    dark: bool | None = None,
) -> Axes:
    """Draw one series.

    Parameters
    ----------
    frame, alarms : DataFrame
        As of `ev.monitor`.
    ax : Axes, optional
    cohort : str or tuple, optional
        The cohort's values in the order of `cohort_columns`; all rows when absent.
    model : str, optional
        The first when absent.
    cohort_columns : sequence of str
    title : str
    level : float or None
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
    """
    names = list(dict.fromkeys(frame["model"]))
    if model is not None:
        check_choice("model", model, names, DataError)
    chosen = names[0] if model is None else model
    wanted = (
        (OVERALL,) * len(cohort_columns) if cohort is None else (cohort,) if isinstance(cohort, str) else tuple(cohort)
    )
    known = list(dict.fromkeys(zip(*(frame[name] for name in cohort_columns), strict=True))) if cohort_columns else [()]
    check_choice("cohort", wanted, known, DataError)

    def of(rows: pd.DataFrame) -> pd.DataFrame:
        mask = (rows["model"] == chosen).to_numpy(bool)
        for name, value in zip(cohort_columns, wanted, strict=True):
            mask = mask & (rows[name] == value).to_numpy(bool)
        return rows[mask]

    rows, alarm = of(frame), of(alarms)
    x, value = np.arange(len(rows)), rows["value"].to_numpy(float)
    who = " · ".join([*map(str, wanted if cohort is not None else ()), *([str(chosen)] if len(names) > 1 else [])])
    with style.theme(dark):
        ax = panels.single(ax, (7.2, 3.6))
        quiet, loud = style.color(ax, 0), style.color(ax, 1)
        grey = style.ink(ax)[1]
        ax.fill_between(
            x, rows["limit_low"], rows["limit_high"], step="mid", color=grey, alpha=0.15, label="control limits"
        )
        ax.axhline(float(rows["centre"].iloc[0]), color=grey, linewidth=1, linestyle=":")
        reach = np.abs(np.stack([value - rows["ci_low"], rows["ci_high"] - value]))
        ax.errorbar(x, value, np.nan_to_num(reach), fmt="o-", color=quiet, markersize=4, linewidth=1.1, elinewidth=0.8)
        outside = rows["outside"].to_numpy(bool)
        ax.plot(x[outside], value[outside], "o", color=loud, markersize=7, markerfacecolor="none", label="outside")
        periods = rows["period"].tolist()
        if len(alarm):
            start = periods.index(alarm["since"].iloc[0])
            ax.axvspan(
                start - 0.5, len(rows) - 0.5, color=loud, alpha=0.12, label=f"changed since {alarm['since'].iloc[0]}"
            )
        shown = np.unique(np.linspace(0, len(rows) - 1, min(TICKS, len(rows))).round().astype(int))
        ax.set_xticks(shown, [periods[i] for i in shown], rotation=30, ha="right")
        ax.set_ylabel(style.plain(rows["metric"].iloc[0]) if len(rows) else "value")
        ax.set_title(f"{title}: {style.plain(who)}" if who else title)
        ax.legend(loc="upper left", bbox_to_anchor=(0, -0.28), ncols=3, frameon=False)
    told = (
        f"{words.number(value[0])} in {periods[0]} to {words.number(value[-1])} in {periods[-1]}"
        if len(rows)
        else "no periods"
    )
    changed = f" Changed since {alarm['since'].iloc[0]}." if len(alarm) else " No alarm."
    style.describe(ax, f"{title}, {len(rows)} periods: {told}.{changed}")
    return ax
