"""The most frequent confusions of classes as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.exceptions import DataError
from dfevals.plots import forest, lines, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    top: int = 12,
    limit: int = 8,
    title: str = "Most frequent errors",
    dark: bool | None = None,
) -> Any:
    """Draw the share of the true class that each confused pair takes, with its interval, most frequent first.

    Parameters
    ----------
    frame : DataFrame
        Pairs of one model: `y_true, y_pred, count, share, ci_low, ci_high`.
    ax : Axes, optional
        For one cohort.
    cohort_columns : sequence of str
    top : int
        Pairs per cohort.
    limit : int
        Cohorts at most.
    title : str
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes, or array of Axes where there are several cohorts
    """
    names = np.array(forest.names(frame, cohort_columns), dtype=object)
    every = list(dict.fromkeys(names))
    if ax is not None and len(every) > 1:
        raise DataError(f"ax= holds one cohort, but the frame has {len(every)}: {', '.join(every[:4])}, …")
    shown = every[:limit]
    rows = min(top, int(frame.groupby(names, sort=False).size().max()))
    size = (6.2, 1.0 + 0.3 * rows)
    with style.theme(dark):
        if len(shown) == 1:
            axes = np.array([panels.single(ax, size)])
            axes[0].set_title(style.plain(title, 60))
        else:
            left = f" · first {len(shown)} of {len(every)}" if len(shown) < len(every) else ""
            axes = panels.small_multiples(shown, size, columns=2, title=title + left, sharex=True)
        for at, (axis, name) in enumerate(zip(axes, shown, strict=True)):
            _bars(axis, frame[names == name].head(top), name, at - (len(shown) > 1))
    return axes[0] if len(shown) == 1 else axes


def _bars(ax: Axes, part: pd.DataFrame, name: str, color: int) -> None:
    part = part[part["count"] > 0]
    ax.grid(True, axis="x")
    ax.set_axisbelow(True)
    ax.set_xlabel("share of the true class")
    if not len(part):
        lines.empty(ax, "no errors")
        ax.set_yticks([])
        style.describe(ax, f"Errors of {name}: none.")
        return
    line = lines.Line(name, name, "", color)
    shade = lines.color(ax, line)
    y = np.arange(len(part))
    share, low, high = (part[column].to_numpy(float) for column in ("share", "ci_low", "ci_high"))
    ax.barh(y, share, height=0.62, color=shade, alpha=0.35, zorder=2)
    ax.hlines(y, low, high, color=shade, linewidth=2, zorder=3, gid="band")
    ax.plot(share, y, "o", color=shade, markersize=4.5, zorder=4, gid="curve")
    texts = [
        f"{style.plain(a, 26)} → {style.plain(b, 26)}" for a, b in zip(part["y_true"], part["y_pred"], strict=True)
    ]
    ax.set_yticks(y, texts)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(part) - 0.4, -0.6)
    ax.set_xlim(0, float(high.max()) * 1.18)
    for at, (edge, count) in enumerate(zip(high, part["count"], strict=True)):
        ax.annotate(words.count(float(count)), (edge, at), (4, 0), textcoords="offset points", va="center", fontsize=8,
                    color=style.ink(ax)[0])  # fmt: skip
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], min_n_ticks=3))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.percent(value)))
    first = part.iloc[0]
    style.describe(
        ax,
        f"Most frequent errors of {name}: {first['y_true']} taken for {first['y_pred']}, "
        f"{words.count(float(first['count']))} rows, {words.percent(float(first['share']))} of the class.",
    )
