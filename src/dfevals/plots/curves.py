"""ROC, precision-recall, DET and cumulative accuracy curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.plots import forest, lines, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_AXES = {
    "roc": ("fpr", "tpr", "false positive rate", "true positive rate"),
    "pr": ("recall", "precision", "recall", "precision"),
    "det": ("fpr", "fnr", "false positive rate", "false negative rate"),
    "cap": ("selected", "captured", "share of rows, best first", "share of positives"),
}
_BANDS = {
    "roc": ("band_low", "band_high"),
    "pr": ("precision_low", "precision_high"),
    "det": ("fnr_low", "fnr_high"),
    "cap": ("captured_low", "captured_high"),
}
_AREAS = {
    "roc": ("roc_auc", "AUC"),
    "pr": ("average_precision", "AP"),
    "det": ("roc_auc", "AUC"),
    "cap": ("roc_auc", "AUC"),
}
_TITLES = {"roc": "ROC", "pr": "Precision and recall", "det": "Detection error trade-off", "cap": "Cumulative accuracy"}
_DET_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)


def draw(
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    kind: str,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    model: str | Sequence[str] | None = None,
    level: float | None = 0.95,
    title: str | None = None,
    limit: int = 12,
    dark: bool | None = None,
) -> Any:
    """Draw curves with bands; the point of today's decisions is marked.

    Parameters
    ----------
    frame : DataFrame
        Points of the curves.
    summary : DataFrame
        Areas, operating points, base rates and reasons, one row per curve.
    kind : {"roc", "pr", "det", "cap"}
    ax : Axes, optional
        Takes all cohorts.
    cohort_columns : sequence of str
    model : str or list of str, optional
    level : float
        Of the bands, for the words.
    title : str, optional
    limit : int
        Panels at most.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes, or array of Axes where there are several panels
    """
    models = lines.models_of(summary, model)
    points, rows = _keyed(frame, cohort_columns), _keyed(summary, cohort_columns)

    n = {place: float(row["n"].iloc[0]) for place, row in rows.items()}
    corner = {"roc": "lower right", "cap": "lower right", "det": "upper right"}.get(kind)

    def draw_one(axis: Axes, panel: lines.Panel) -> None:
        _set_up(axis, kind, rows, panel)
        drawn, missing = [], []
        for line in panel.lines:
            row = rows[(line.cohort, line.model)].iloc[0]
            if row["note"]:
                missing.append((line, str(row["note"])))
                continue
            _draw_line(axis, line, points[(line.cohort, line.model)], row, kind)
            name, short = _AREAS[kind]
            drawn.append((line, f"{short} {words.estimate(row[name], row['ci_low'], row['ci_high'])}"))
        told = lines.explain(axis, panel, drawn, missing, n, corner=corner)
        style.describe(axis, _words(kind, panel, told, level))

    heading = title if title is not None else _TITLES[kind]
    return lines.draw_panels(
        summary, ax, draw_one, cohort_columns=cohort_columns, models=models, title=heading, limit=limit, dark=dark
    )


def _keyed(frame: pd.DataFrame, cohort_columns: Sequence[str]) -> dict[tuple[str, str], pd.DataFrame]:
    """Rows of each cohort and model."""
    names = pd.Series(forest.names(frame, cohort_columns), index=frame.index, dtype=object)
    return {(str(a), str(b)): part for (a, b), part in frame.groupby([names, frame["model"].astype(str)], sort=False)}


def _set_up(ax: Axes, kind: str, rows: dict[tuple[str, str], pd.DataFrame], panel: lines.Panel) -> None:
    _, _, x, y = _AXES[kind]
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(True)
    ax.set_axisbelow(True)
    grey = style.ink(ax)[1]
    dashed: dict[str, Any] = {"color": grey, "linewidth": 1, "linestyle": (0, (4, 3)), "zorder": 1, "label": "_"}
    if kind == "det":
        at = _deviates(np.array(_DET_TICKS))
        texts = [words.percent(tick) if tick >= 0.01 else f"{tick:.1%}" for tick in _DET_TICKS]
        ax.set_xticks(at, texts, rotation=45)
        ax.set_yticks(at, texts)
        ax.set_xlim(at[0], at[-1])
        ax.set_ylim(at[0], at[-1])
        ax.plot(at, -at, gid="random", **dashed)  # no better than chance: rates add up to 1
        return
    ax.set_xlim(-0.01, 1.01)
    ax.set_ylim(-0.01, 1.03)
    ax.set_aspect("equal", adjustable="box")
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    if kind in ("roc", "cap"):
        ax.plot([0, 1], [0, 1], gid="random", **dashed)
    own = [line for line in panel.lines if not line.quiet]
    if kind == "pr":
        _draw_iso(ax)
    for line in own[:8] if kind in ("pr", "cap") else ():
        base = float(rows[(line.cohort, line.model)].iloc[0]["base_rate"])
        if not np.isfinite(base):
            continue
        shade = lines.color(ax, line) if len({one.cohort for one in own}) > 1 else grey
        if kind == "pr":
            ax.axhline(base, **dashed | {"color": shade}, gid="base rate")
            if len({one.cohort for one in own}) == 1:
                ax.annotate(
                    f"base rate {words.percent(base)}", (0.03, base), (0, 2), textcoords="offset points", fontsize=7.5,
                    color=grey, va="bottom", xycoords=ax.get_yaxis_transform(), zorder=5,
                )  # fmt: skip
                break
        else:
            ax.plot([0, base, 1], [0, 1, 1], **dashed | {"color": shade}, gid="perfect")
            if len({one.cohort for one in own}) == 1:
                break


def _draw_iso(ax: Axes) -> None:
    """Lines of equal F1."""
    grey = style.ink(ax)[1]
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / 2 + 1e-3, 1, 80)
        precision = f1 * recall / (2 * recall - f1)
        shown = precision <= 1.02
        ax.plot(
            recall[shown], precision[shown], color=grey, linewidth=0.7, alpha=0.55, zorder=0.8, gid="iso-F1", label="_"
        )
        ax.annotate(
            f"F1 {f1:.1f}".replace("0.", "."), (1, f1 / (2 - f1)), (2, 0), textcoords="offset points", fontsize=7,
            color=grey, va="center", ha="left", annotation_clip=False,
        )  # fmt: skip


def _draw_line(ax: Axes, line: lines.Line, part: pd.DataFrame, row: pd.Series, kind: str) -> None:
    x, y, _, _ = _AXES[kind]
    xs, ys = part[x].to_numpy(float), part[y].to_numpy(float)
    low, high = (part[name].to_numpy(float) for name in _BANDS[kind])
    at = (float(row[f"operating_{x}"]), float(row[f"operating_{y}"]))
    if kind == "det":
        xs, ys, low, high = (_deviates(values) for values in (xs, ys, low, high))
        at = (float(_deviates(np.array([at[0]]))[0]), float(_deviates(np.array([at[1]]))[0]))
    if kind == "pr":
        known = np.isfinite(part["threshold"].to_numpy(float))
        xs, ys, low, high = xs[known], ys[known], low[known], high[known]
    lines.band(ax, line, xs, ys, low, high)
    if not line.quiet and np.isfinite(at).all():
        ax.plot(
            *at, "o", color=lines.color(ax, line), markersize=6.5, markeredgecolor=ax.get_facecolor(),
            markeredgewidth=1.4, zorder=5, gid="operating", label="_",
        )  # fmt: skip


def _deviates(rate: np.ndarray) -> np.ndarray:
    """Rates on the scale of normal deviates, ends cut."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(rate, 0.0005, 0.9995)))


def _words(kind: str, panel: lines.Panel, told: str, level: float | None) -> str:
    what = {"roc": "ROC curve", "pr": "Precision-recall curve", "det": "DET curve", "cap": "Cumulative accuracy curve"}
    name = f" of {panel.title}" if panel.title else ""
    return f"{what[kind]}{name} with {words.bounds(level, 'bands')}. {told} Dots mark the decisions made now."
