"""Chart of a plan: per cohort the smallest difference that its rows find, beside the difference that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.plots import forest, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    target_power: float = 0.8,
    title: str = "",
    limit: int = 60,
    dark: bool | None = None,
) -> Axes:
    """Draw what each cohort can show of one metric.

    Parameters
    ----------
    frame : DataFrame
        Cohort columns, `metric, n, detectable, target, power, rows_needed, note, is_overall`; one row per cohort. Nothing is
        computed from it.
    ax : Axes, optional
        Default: a new figure, as tall as the cohorts need.
    cohort_columns : sequence of str
    target_power : float
        Power that `detectable` was planned for, and from which rows suffice.
    title : str
        Default: the metric.
    limit : int
        Rows drawn at most; the title says how many are left out.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
        The bar ends at the smallest difference that the rows find: shorter is better. The marker is the size of the
        difference in question, filled where the rows suffice for it. A dotted line instead of a bar: the models differ on
        too few rows to plan a difference.
    """
    ordered = frame.sort_values("is_overall", ascending=False, kind="stable")
    rows = ordered.head(max(limit, 1)).reset_index(drop=True)
    names = forest.names(rows, cohort_columns)
    overall = rows["is_overall"].to_numpy(bool)
    y = np.arange(len(rows)) + 0.4 * (~overall) * bool(overall.any())
    metric = str(rows["metric"].iloc[0]) if len(rows) else "metric"
    enough = rows["power"].to_numpy(float) >= target_power
    with style.theme(dark):
        ax = panels.single(ax, (style.beside(names, 7.6), 1.35 + 0.27 * len(rows)))
        left = f" (first {len(rows)} of {len(frame)})" if len(rows) < len(frame) else ""
        ax.set_title(style.plain(title or f"Differences in {metric} that the rows can show", 80) + left, pad=40)
        _set_up(ax, rows, y, names, metric)
        _draw_rows(ax, rows, y, enough)
        _write_right(ax, rows, y)
        _legend(ax, rows, enough, target_power)
    style.describe(ax, _words(rows, names, metric, enough))
    return ax


def _set_up(ax: Axes, rows: pd.DataFrame, y: np.ndarray, names: list[str], metric: str) -> None:
    ax.set_yticks(y, style.plain_names(names))
    ax.set_ylim((y[-1] if len(y) else 0) + 0.6, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    ends = np.concatenate([rows["detectable"], rows["target"].abs()])
    ends = ends[np.isfinite(ends)]
    ax.set_xlim(0, 1.06 * float(ends.max()) if ends.size and ends.max() > 0 else 1.0)
    ax.set_xlabel(f"size of a difference in {style.plain(metric)}")
    for tick, is_overall in zip(ax.get_yticklabels(), rows["is_overall"], strict=False):
        tick.set_fontweight("bold" if is_overall and len(rows) > 1 else "normal")


def _draw_rows(ax: Axes, rows: pd.DataFrame, y: np.ndarray, enough: np.ndarray) -> None:
    grey, blue, ground = style.ink(ax)[1], style.color(ax, 0), ax.get_facecolor()
    known = rows["detectable"].notna().to_numpy()
    ax.barh(y[known], rows["detectable"][known], height=0.5, color=grey, alpha=0.35, linewidth=0, zorder=2, label="_")
    if (~known).any():
        ax.hlines(y[~known], *ax.get_xlim(), colors=grey, linewidth=1, linestyles=(0, (1, 2)))
    for at, (size, suffices) in enumerate(zip(rows["target"].abs(), enough, strict=True)):
        if np.isfinite(size):
            ax.plot(
                size, y[at], "D" if rows["is_overall"][at] and len(rows) > 1 else "o", color=blue,
                markerfacecolor=blue if suffices else ground, markeredgewidth=1.3, markersize=5.5, zorder=3, label="_",
                clip_on=False,
            )  # fmt: skip


def _write_right(ax: Axes, rows: pd.DataFrame, y: np.ndarray) -> None:
    text, muted = style.ink(ax)
    options: dict[str, Any] = {
        "xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "va": "center", "fontsize": 8.5,
        "annotation_clip": False,
    }  # fmt: skip
    counts = [words.count(n) for n in rows["n"]]
    needed = [words.count(n) if np.isfinite(n) else "" for n in rows["rows_needed"]]
    first = 8 + 5.6 * max(map(len, [*counts, "n"]))
    second = first + 12 + 5.6 * max(map(len, [*needed, "n needed"]))
    for said, place in (("n", first), ("n needed", second)):
        ax.annotate(said, (1, -0.75), (place, 0), ha="right", color=muted, **options)
    ax.annotate("power", (1, -0.75), (second + 12, 0), ha="left", color=muted, **options)
    for at, row in enumerate(rows.to_dict("records")):
        ax.annotate(counts[at], (1, y[at]), (first, 0), ha="right", color=text, **options)
        ax.annotate(needed[at], (1, y[at]), (second, 0), ha="right", color=text, **options)
        chance = f"{row['power']:.0%}" if np.isfinite(row["power"]) else style.plain(row["note"], 28)
        color = text if np.isfinite(row["power"]) else muted
        ax.annotate(chance, (1, y[at]), (second + 12, 0), ha="left", color=color, **options)


def _legend(ax: Axes, rows: pd.DataFrame, enough: np.ndarray, target_power: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.transforms import offset_copy

    blue, ground = style.color(ax, 0), ax.get_facecolor()
    above = offset_copy(ax.transAxes, ax.figure.canvas.figure, y=13, units="points")  # over the names of the columns
    found = [
        (Line2D([], [], color=blue, marker="o", markersize=5.5, linewidth=0, markerfacecolor=fill), said)
        for fill, said, shown in (
            (blue, "difference, rows suffice", enough.any()),
            (ground, "difference, too few rows", (~enough & rows["target"].notna()).any()),
        )
        if shown
    ]
    handles = [Patch(facecolor=style.ink(ax)[1], alpha=0.35), *(handle for handle, _ in found)]
    texts = [f"too small to find (power below {target_power:.0%})", *(said for _, said in found)]
    ax.legend(
        handles, texts, loc="lower left", bbox_to_anchor=(-0.015, 0.995), bbox_transform=above, ncols=3, handlelength=1.2, columnspacing=1.2,
        borderpad=0.2,
    )  # fmt: skip


def _words(rows: pd.DataFrame, names: list[str], metric: str, enough: np.ndarray) -> str:
    known = [(name, size) for name, size in zip(names, rows["detectable"], strict=True) if np.isfinite(size)]
    shown = "; ".join(f"{name} {words.number(size)}" for name, size in known[:6])
    return (
        f"Smallest differences in {metric} that the rows find: {shown or 'none'}. "
        f"The difference in question is found in {int(enough.sum())} of {len(rows)} rows of the chart."
    )
