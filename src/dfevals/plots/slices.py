"""Charts of slices: their values beside that of all rows, and the errors that a few of them cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.plots import forest, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "draw_map"]

WIDE = 52  # characters of a line of a slice's name


def draw(
    frame: pd.DataFrame,
    overall: float,
    ax: Axes | None = None,
    *,
    level: float | None = 0.95,
    limit: int = 20,
    title: str = "",
    dark: bool | None = None,
) -> Axes:
    """Draw slices as a forest, with the value of all rows as the line.

    Parameters
    ----------
    frame : DataFrame
        Columns `slice, value, ci_low, ci_high, n, verdict`, perhaps `metric`. Nothing is computed from it.
    overall : float
        Value of all rows.
    ax : Axes, optional
    level : float or None
        Of the intervals.
    limit : int
        Slices drawn at most.
    title : str
        Default: the metric.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
        Slices without evidence are drawn as those that are too few elsewhere: open, with a dashed interval.
    """
    shown = frame.assign(flag=np.where(frame["verdict"] == "no evidence", "too few", ""), is_overall=False)
    whole = pd.DataFrame({"slice": ["(overall)"], "value": [overall], "is_overall": [True], "flag": [""]})
    shown = pd.concat([whole, shown[[name for name in _DRAWN if name in shown]]], ignore_index=True)
    if "metric" in frame and len(frame):
        shown["metric"] = frame["metric"].iloc[0]
    names = _names(shown["slice"].iloc[: limit + 1])
    with style.theme(dark):
        lines = max(name.count("\n") for name in names) + 1
        ax = panels.single(ax, (9.2, 1.2 + len(names) * max(0.3, 0.17 * lines + 0.06)))
    forest.draw(
        shown.assign(note=""), ax, cohort_columns=["slice"], level=level, limit=limit, title=title, dark=dark, show_values=False
    )  # fmt: skip
    ax.set_yticks(ax.get_yticks(), names)
    for label in ax.get_yticklabels():
        label.set_fontsize(8.5)
    ax.get_yticklabels()[0].set_fontweight("bold")
    if not len(frame):
        ax.annotate("no slices", (0.5, 0.5), xycoords="axes fraction", ha="center", color=style.ink(ax)[1])
    return ax


_DRAWN = ("slice", "value", "ci_low", "ci_high", "n", "flag", "is_overall")


def _names(texts: pd.Series) -> list[str]:
    """Slices as names of rows, broken between conditions."""
    return [_broken(str(text)) for text in texts]


def _broken(text: str) -> str:
    lines: list[str] = []
    for condition in text.split(" and "):
        more = f"{lines[-1]} and {condition}" if lines else condition
        if lines and len(more) <= WIDE:
            lines[-1] = more
        else:
            lines.append(f"and {condition}" if lines else condition)
    return "\n".join(style.plain(line, WIDE + 12) for line in lines)


def draw_map(frame: pd.DataFrame, ax: Axes | None = None, *, title: str = "", dark: bool | None = None) -> Axes:
    """Draw how many of the errors the slices cover, step by step, beside the rows that they take.

    Parameters
    ----------
    frame : DataFrame
        Columns `slice, errors_covered, rows_covered`, in order.
    ax : Axes, optional
    title : str
    dark : bool, optional
        See `dfevals.plots.theme`.
    """
    with style.theme(dark):
        ax = panels.single(ax, (8.6, 1.4 + 0.55 * max(len(frame), 1)))
        y = np.arange(len(frame))
        errors, rows = frame["errors_covered"].to_numpy(float), frame["rows_covered"].to_numpy(float)
        ax.barh(y - 0.18, errors, 0.34, color=style.color(ax, 0), label="errors covered")
        ax.barh(y + 0.18, rows, 0.34, color=style.ink(ax)[1], alpha=0.6, label="rows taken")
        for at, (error, row) in enumerate(zip(errors, rows, strict=True)):
            ax.annotate(f"{error:.0%}", (error, at - 0.18), (3, 0), textcoords="offset points", va="center", fontsize=8)
            ax.annotate(f"{row:.0%}", (row, at + 0.18), (3, 0), textcoords="offset points", va="center", fontsize=8)
        first = [("" if at == 0 else "+ ") + text for at, text in enumerate(_names(frame["slice"]))]
        ax.set_yticks(y, first)
        ax.set_ylim(max(len(frame), 1) - 0.4, -0.6)
        ax.set_xlim(0, 1.08)
        ax.set_xlabel("share of all, by this slice and those above it")
        ax.set_title(style.plain(title or "Error map", 80), pad=24)
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        if len(frame):
            ax.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=2)
    last = f"{errors[-1]:.0%} of the errors in {rows[-1]:.0%} of the rows" if len(frame) else "nothing"
    style.describe(ax, f"Error map: {words.count(len(frame))} slices cover {last}.")
    return ax
