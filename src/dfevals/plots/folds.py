"""Metric over folds: one line per model, paired by fold, so that a fold which is hard for all is seen as such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.plots import panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_MARKERS = "osD^vPX"


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    summary: pd.DataFrame | None = None,
    outliers: Mapping[str, list[str]] | None = None,
    paired: bool = True,
    title: str = "",
    dark: bool | None = None,
) -> Axes:
    """Draw one metric over folds.

    Parameters
    ----------
    frame : DataFrame
        `fold, model, metric, value` and optionally `train_value`; one row per fold and model, of one metric.
    ax : Axes, optional
    summary : DataFrame, optional
        `model, mean, ci_low, ci_high`: drawn at the right.
    outliers : mapping of model to list of folds, optional
        Folds marked as outliers.
    paired : bool
        Join the models of a fold by a thin segment.
    title : str
    dark : bool, optional
    """
    models = list(dict.fromkeys(frame["model"]))
    folds = list(dict.fromkeys(frame["fold"].astype(str)))
    metric = str(frame["metric"].iloc[0]) if "metric" in frame and len(frame) else "value"
    table = np.full((len(folds), len(models)), np.nan)
    train = table.copy()
    place = {fold: at for at, fold in enumerate(folds)}
    for row in frame.to_dict("records"):
        at = place[str(row["fold"])], models.index(row["model"])
        table[at] = row["value"]
        train[at] = row.get("train_value", np.nan)
    with style.theme(dark):
        width = min(max(5.2, 0.42 * len(folds) + 2.6), 12)
        ax = panels.single(ax, (width, 3.6))
        _draw_lines(ax, table, train, models, paired)
        _draw_summary(ax, summary, models, len(folds))
        _mark(ax, table, models, folds, outliers or {})
        _set_up(ax, folds, metric, title, summary is not None)
        _legend(ax, models, bool(np.isfinite(train).any()), width)
    style.describe(ax, _words(table, models, folds, metric))
    return ax


def _draw_lines(ax: Axes, table: np.ndarray, train: np.ndarray, models: list[str], paired: bool) -> None:
    x, grey = np.arange(len(table)), style.ink(ax)[1]
    if paired and len(models) > 1:
        known = np.isfinite(table).sum(axis=1) > 1
        if known.any():
            ax.vlines(
                x[known], np.nanmin(table[known], axis=1), np.nanmax(table[known], axis=1), colors=grey, linewidth=1,
                alpha=0.6, zorder=1, gid="pair",
            )  # fmt: skip
    for at, model in enumerate(models):
        color = style.color(ax, at)
        ax.plot(
            x, table[:, at], marker=_MARKERS[at % len(_MARKERS)], color=color, linewidth=1.5, markersize=5,
            label=style.plain(model, 30),
        )  # fmt: skip
        if np.isfinite(train[:, at]).any():
            ax.plot(
                x, train[:, at], marker=_MARKERS[at % len(_MARKERS)], color=color, linewidth=1, markersize=4, alpha=0.8,
                linestyle=(0, (3, 2)), markerfacecolor=ax.get_facecolor(), label="_",
            )  # fmt: skip


def _legend(ax: Axes, models: list[str], trained: bool, width: float) -> None:
    """Models, and what dashed lines are, in as many rows as the width asks for."""
    from matplotlib.lines import Line2D

    if len(models) < 2 and not trained:
        return
    handles, names = ax.get_legend_handles_labels()
    if trained:
        grey = style.ink(ax)[1]
        handles.append(
            Line2D(
                [], [], color=grey, linestyle=(0, (3, 2)), marker="o", markersize=4, markerfacecolor=ax.get_facecolor()
            )
        )
        names.append("on training rows")
    columns = max(1, min(len(names), int(width / (0.55 + 0.075 * max(map(len, names))))))
    rows = -(-len(names) // columns)
    ax.legend(
        handles, names, loc="lower left", bbox_to_anchor=(-0.015, 0.985), ncols=columns, handlelength=1.6, borderpad=0.2,
    )  # fmt: skip
    ax.set_title(ax.get_title(loc="left"), loc="left", pad=8 + 16 * rows)


def _draw_summary(ax: Axes, summary: pd.DataFrame | None, models: list[str], n: int) -> None:
    if summary is None:
        return
    for row in summary.to_dict("records"):
        if row["model"] not in models:
            continue
        at = models.index(row["model"])
        x, color = n + 0.15 + 0.3 * at, style.color(ax, at)
        if np.isfinite(row["ci_low"] + row["ci_high"]):
            ax.vlines(x, row["ci_low"], row["ci_high"], colors=color, linewidth=2.2)
        ax.plot(x, row["mean"], _MARKERS[at % len(_MARKERS)], color=color, markersize=6, label="_")
    ax.axvline(n - 0.5, color=style.ink(ax)[1], linewidth=0.8, alpha=0.6)


def _mark(ax: Axes, table: np.ndarray, models: list[str], folds: list[str], outliers: Mapping[str, list[str]]) -> None:
    for model, names in outliers.items():
        for name in names:
            if model in models and str(name) in folds:
                at = folds.index(str(name)), models.index(model)
                ax.plot(
                    at[0], table[at], "o", markersize=13, markerfacecolor="none", color=style.ink(ax)[0], markeredgewidth=1.2,
                    label="_", gid="outlier",
                )  # fmt: skip
                ax.annotate(
                    "outlier", (at[0], table[at]), (9, 0), textcoords="offset points", va="center", fontsize=8.5
                )


def _set_up(ax: Axes, folds: list[str], metric: str, title: str, with_summary: bool) -> None:
    ticks: list[Any] = list(range(len(folds)))
    names = style.plain_names(folds, 12)
    step = max(1, len(folds) // 25)
    ticks, names = ticks[::step], names[::step]
    if with_summary:
        ticks, names = [*ticks, len(folds) + 0.3], [*names, "mean"]
    long = max(map(len, names), default=0) > 4 and len(names) > 6
    ax.set_xticks(ticks, names, rotation=45 if long else 0, ha="right" if long else "center")
    ax.set_xlabel("fold")
    ax.set_ylabel(style.plain(metric))
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    ax.set_title(style.plain(title or f"{metric} over folds", 80), pad=24)


def _words(table: np.ndarray, models: list[str], folds: list[str], metric: str) -> str:
    parts = []
    for at, model in enumerate(models):
        column = table[:, at]
        if np.isfinite(column).any():
            low, high = int(np.nanargmin(column)), int(np.nanargmax(column))
            parts.append(
                f"{model} from {words.number(column[low])} (fold {folds[low]}) to {words.number(column[high])} (fold {folds[high]})"
            )
    return f"{metric} over {len(folds)} folds: {'; '.join(parts)}."
