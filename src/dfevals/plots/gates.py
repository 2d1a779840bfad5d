"""Chart of a release gate: the interval of a rule in every cohort against its limit, coloured by answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.plots import forest, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "size"]

_WORDS = {"pass": "✓ pass", "fail": "✗ fail", "inconclusive": "? inconclusive"}
_HUES = {"pass": 2, "fail": 1}  # places in the palette; what is inconclusive is grey


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    title: str = "",
    quantity: str = "value",
    limit: int = 60,
    dark: bool | None = None,
) -> Axes:
    """Draw one rule of a gate.

    Parameters
    ----------
    frame : DataFrame
        Cohort columns, `rule, value, ci_low, ci_high, limit, answer, n, is_overall`; one row per cohort. Nothing is computed
        from it.
    ax : Axes, optional
        Default: a new figure, as tall as the cohorts need.
    cohort_columns : sequence of str
    title : str
        Default: the rule.
    quantity : str
        Name of the horizontal axis.
    limit : int
        Rows drawn at most, those that do not pass first; the title says how many are left out.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
        The dashed line is the rule's limit. Filled markers pass or fail with their whole interval, open grey ones are
        inconclusive.
    """
    rows = _shown(frame, limit)
    names = forest.names(rows, cohort_columns)
    overall = rows["is_overall"].to_numpy(bool)
    y = np.arange(len(rows)) + 0.4 * (~overall) * bool(overall.any())
    with style.theme(dark):
        ax = panels.single(ax, size(len(rows)))
        left = f" (first {len(rows)} of {len(frame)})" if len(rows) < len(frame) else ""
        ax.set_title(style.plain(title or rows["rule"].iloc[0], 80) + left, pad=20)
        _set_up(ax, rows, y, names, quantity)
        _draw_rows(ax, rows, y)
        _write_right(ax, rows, y)
    style.describe(ax, _alternative(rows, names))
    return ax


def size(rows: int) -> tuple[float, float]:
    """Inches that one rule of so many rows needs."""
    return 7.6, 1.15 + 0.27 * rows


def _shown(frame: pd.DataFrame, limit: int) -> pd.DataFrame:
    """The overall row first; where there is no room for all, those that pass are left out first."""
    ordered = frame.sort_values("is_overall", ascending=False, kind="stable")
    if len(ordered) > limit:
        rank = ordered["answer"].map({"fail": 0, "inconclusive": 1, "pass": 2}).where(~ordered["is_overall"], -1)
        ordered = ordered.iloc[np.sort(np.argsort(rank.to_numpy(), kind="stable")[: max(limit, 1)])]
    return ordered.reset_index(drop=True)


def _set_up(ax: Axes, rows: pd.DataFrame, y: np.ndarray, names: list[str], quantity: str) -> None:
    ax.set_yticks(y, style.plain_names(names))
    ax.set_ylim((y[-1] if len(y) else 0) + 0.6, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    limits = rows["limit"].unique()
    ends = np.concatenate([rows["value"], rows["ci_low"], rows["ci_high"], limits])
    ends = ends[np.isfinite(ends)]
    margin = 0.06 * float(np.ptp(ends)) or 0.05
    ax.set_xlim(float(ends.min()) - margin, float(ends.max()) + margin)
    for at in limits:
        ax.axvline(at, color=style.ink(ax)[0], linewidth=1, linestyle=(0, (4, 3)), zorder=1, gid="limit")
    level = rows["level"].iloc[0] if "level" in rows else None
    interval = f", with {level * 100:.4g}% interval" if level is not None else ""
    marks = ", ".join(f"{at:g}" for at in limits).replace("-", "−")
    ax.set_xlabel(f"{style.plain(quantity)}{interval}; dashed: limit {marks}")
    for tick, is_overall in zip(ax.get_yticklabels(), rows["is_overall"], strict=False):
        tick.set_fontweight("bold" if is_overall and len(rows) > 1 else "normal")


def _draw_rows(ax: Axes, rows: pd.DataFrame, y: np.ndarray) -> None:
    for at, row in enumerate(rows.to_dict("records")):
        color, open_ = _shade(ax, row["answer"]), row["answer"] not in _HUES
        if np.isfinite(row["ci_low"] + row["ci_high"]):
            ax.hlines(y[at], row["ci_low"], row["ci_high"], colors=color, linewidth=2)
        if np.isfinite(row["value"]):
            ax.plot(
                row["value"], y[at], "D" if row["is_overall"] and len(rows) > 1 else "o", color=color,
                markerfacecolor=ax.get_facecolor() if open_ else color, markeredgewidth=1.3, markersize=5.5, zorder=3,
                label="_",
            )  # fmt: skip


def _shade(ax: Axes, answer: str) -> str:
    return style.color(ax, _HUES[answer]) if answer in _HUES else style.ink(ax)[1]


def _write_right(ax: Axes, rows: pd.DataFrame, y: np.ndarray) -> None:
    text, muted = style.ink(ax)
    options: dict[str, Any] = {
        "xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "va": "center", "fontsize": 8.5,
        "annotation_clip": False,
    }  # fmt: skip
    width = 8 + 5.6 * max((len(words.count(n)) for n in rows["n"]), default=1)
    ax.annotate("n", (1, -0.75), (width, 0), ha="right", color=muted, **options)
    ax.annotate("answer", (1, -0.75), (width + 12, 0), ha="left", color=muted, **options)
    for at, row in enumerate(rows.to_dict("records")):
        ax.annotate(words.count(row["n"]), (1, y[at]), (width, 0), ha="right", color=text, **options)
        undefined = "" if np.isfinite(row["value"]) else f": {style.plain(row.get('note', ''), 28)}".rstrip(": ")
        color = _shade(ax, row["answer"]) if row["answer"] in _HUES else muted
        ax.annotate(_WORDS[row["answer"]] + undefined, (1, y[at]), (width + 12, 0), ha="left", color=color, **options)


def _alternative(rows: pd.DataFrame, names: list[str]) -> str:
    counts = rows["answer"].value_counts(sort=False)
    failed = [
        f"{name} {words.estimate(row['value'], row['ci_low'], row['ci_high'])}"
        for name, row in zip(names, rows.to_dict("records"), strict=True)
        if row["answer"] == "fail"
    ]
    answers = ", ".join(f"{answer}: {count}" for answer, count in counts.items())
    return f"Rule {rows['rule'].iloc[0]}. Answers: {answers}." + (f" Fails: {'; '.join(failed[:5])}." if failed else "")
