"""Charts of decisions: the objective and the metrics by threshold, net benefit, and the best thresholds of cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.exceptions import DataError, MetricError, check_choice
from dfevals.plots import forest, lines, style
from dfevals.plots.curves import _keyed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KINDS", "draw"]

KINDS = ("objective", "metrics", "decision", "best")
STRETCHES = 2  # of thresholds that are named one by one
DRAWABLE = 1e150  # beyond, squares of distances overflow in matplotlib
_OWNER = " model"
_METRICS = ("precision", "recall", "f1", "fpr", "selection_rate")


def draw(
    frames: Mapping[str, pd.DataFrame],
    kind: str,
    ax: Axes | None = None,
    *,
    quantity: str,
    higher: bool = True,
    cohort_columns: Sequence[str] = (),
    model: str | Sequence[str] | None = None,
    level: float = 0.95,
    title: str | None = None,
    limit: int = 12,
    dark: bool | None = None,
) -> Any:
    """Draw one chart of the threshold table.

    Parameters
    ----------
    frames : mapping
        `frame` (the table), `best`, and for decision curves `net_benefit`.
    kind : {"objective", "metrics", "decision", "best"}
    quantity : str
        Column of the table that is sought.
    higher : bool
        Whether more of it is better.
    ax, cohort_columns, model, level, title, limit, dark
        As in `dfevals.plots.curves.draw`.

    Returns
    -------
    Axes, or array of Axes where there are several panels
    """
    check_choice("kind", kind, KINDS, MetricError)
    reach = frames["frame"]["threshold"].replace([np.inf, -np.inf], np.nan).abs().max()
    if reach > DRAWABLE:
        raise DataError(
            f"Thresholds of {reach:.3g} are too great for a chart. Divide the scores, or take the table: .frame."
        )
    if kind == "metrics" and model is None and ax is None and frames["best"]["model"].nunique() > 1:
        frames = {name: _owned(frame) for name, frame in frames.items()}
        cohort_columns = [_OWNER, *cohort_columns]  # a panel has the metrics of one model
    best = frames["best"]
    models = lines.models_of(best, model, one=kind in ("metrics", "best"))
    only = f" · {models[0]}" if kind in ("metrics", "best") and best["model"].nunique() > 1 else ""
    if kind == "best":
        shown = best[(best["model"].astype(str) == models[0]).to_numpy()].drop(columns=["value", "ci_low", "ci_high"])
        finite = shown.replace([np.inf, -np.inf], np.nan)
        finite = finite.rename(columns={"threshold": "value", "threshold_low": "ci_low", "threshold_high": "ci_high"})
        finite = finite.assign(metric="threshold")
        heading = f"Best threshold ({quantity}){only}" if title is None else title
        return forest.draw(finite, ax, cohort_columns=cohort_columns, title=heading, level=level, dark=dark)
    if kind == "metrics" and ax is not None and best["is_overall"].sum() < len(best):
        raise DataError("ax= holds the metrics of one cohort: choose it with ev.where(…), or leave ax= out.")
    tables = _keyed(frames["net_benefit" if kind == "decision" else "frame"], cohort_columns)
    chosen = _keyed(best, cohort_columns)

    n = {place: float(row["n"].iloc[0]) for place, row in chosen.items()}
    headings = {
        "objective": f"{quantity.replace('_', ' ').capitalize()} by threshold",
        "metrics": f"Metrics by threshold{only}",
        "decision": "Net benefit",
    }

    def draw_one(axis: Axes, panel: lines.Panel) -> None:
        axis.grid(True)
        axis.set_axisbelow(True)
        drawn, missing = [], []
        for line in panel.lines:
            place = (line.cohort, line.model)
            row, part = chosen[place].iloc[0], tables[place]
            if (kind != "objective" or quantity != "cost") and (reason := _undefined(row)):
                missing.append((line, reason))
            elif kind == "objective":
                drawn.append((line, _objective(axis, line, part, row, quantity)))
            elif kind == "decision":
                drawn.append((line, _decision(axis, line, part)))
            else:
                drawn.append((line, _metrics(axis, line, part)))
        _finish(axis, kind, quantity)
        if kind == "metrics":
            _name_metrics(axis)
        told = lines.explain(axis, panel, drawn, missing, n, room=kind != "metrics", named=kind != "metrics")
        name = f" of {panel.title}" if panel.title else ""
        style.describe(axis, f"{headings[kind]}{name} with {level:.0%} intervals. {told}")

    return lines.draw_panels(
        best, ax, draw_one, cohort_columns=cohort_columns, models=models, title=headings[kind] if title is None else title,
        limit=limit, dark=dark, size=(3.7, 3.1), sharey=kind != "decision",
    )  # fmt: skip


def _owned(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its models as cohorts."""
    found = frame.assign(model="")
    found[_OWNER] = frame["model"].astype(str)
    return found


def _undefined(row: Any) -> str:
    """Why there is nothing to draw; other notes are about the choice of a threshold."""
    note = str(row["note"])
    return note if note in ("no rows", "no positives") or not float(row["n_pos"]) else ""


def _objective(ax: Axes, line: lines.Line, part: Any, row: Any, quantity: str) -> str:
    known = np.isfinite(part["threshold"].to_numpy(float))
    x, y = part["threshold"].to_numpy(float)[known], part[quantity].to_numpy(float)[known]
    lines.band(ax, line, x, y)
    at = float(row["threshold"])
    if line.quiet:
        return ""
    if not np.isfinite(at):
        return str(row["note"]) or "undefined"
    shade = lines.color(ax, line)
    low, high = float(row["threshold_low"]), float(row["threshold_high"])
    if np.isfinite(low):
        top = high if np.isfinite(high) else float(x.max(initial=at))
        ax.axvspan(low, top, color=shade, alpha=0.13, linewidth=0, zorder=0.5, gid="interval")
    ax.vlines(at, row["ci_low"], row["ci_high"], color=shade, linewidth=2.4, zorder=4, gid="band")
    ax.plot(at, row["corrected"], "_", color=shade, markersize=9, markeredgewidth=2, zorder=5, gid="corrected")
    ax.plot(
        at, row["value"], "o", color=shade, markersize=6.5, markeredgecolor=ax.get_facecolor(), zorder=6, gid="best"
    )
    return f"best {words.estimate(at, low, high)}"


def _metrics(ax: Axes, line: lines.Line, part: Any) -> str:
    if line.quiet:
        return ""
    known = np.isfinite(part["threshold"].to_numpy(float))
    x = part["threshold"].to_numpy(float)[known]
    for at, name in enumerate(name for name in _METRICS if name in part):
        one = lines.Line(name, line.cohort, line.model, at)
        lines.band(ax, one, x, part[name].to_numpy(float)[known], label=f"_{name}")
    return ""


def _name_metrics(ax: Axes) -> None:
    """Name each line where it is farthest from all others, and names from one another."""
    found: dict[str, Any] = {}
    for line in ax.get_lines():
        if line.get_gid() == "curve":
            found.setdefault(str(line.get_label())[1:], line)
    if not found:
        return
    low, high = ax.get_xlim()
    grid = np.linspace(low, high, 60)[4:-8]
    heights = {name: _height(line, grid) for name, line in found.items()}
    taken: list[tuple[float, float]] = []
    for name, y in heights.items():
        others = np.array([other for at, other in heights.items() if at != name] or [np.full(len(grid), np.inf)])
        above = np.where(others < y - 1e-9, np.inf, others - y)  # the name stands above its line
        clear = np.nanmin(np.where(np.isnan(above), np.inf, above), axis=0)
        for x_taken, y_taken in taken:
            near = (np.abs(grid - x_taken) < 0.3 * (high - low)) & (np.abs(y - y_taken) < 0.09)
            clear = np.where(near, -1, clear)
        clear = np.where(np.isfinite(y) & (y < 0.97), np.minimum(clear, 0.15), -2)
        at = int(np.argmax(clear))
        if not np.isfinite(y[at]):
            continue
        taken.append((grid[at], y[at]))
        ax.annotate(
            name.replace("_", " "), (grid[at], y[at]), (0, 4), textcoords="offset points", fontsize=8, ha="center",
            color=style.legible(ax, found[name].get_color()), va="bottom", zorder=6, gid="key",
            bbox={"facecolor": ax.get_facecolor(), "alpha": 0.75, "linewidth": 0, "pad": 0.4},
        )  # fmt: skip


def _height(line: Any, grid: np.ndarray) -> np.ndarray:
    x, y = (np.asarray(part, dtype=float) for part in line.get_data())
    return np.asarray(np.interp(grid, x, y, left=np.nan, right=np.nan))


def _decision(ax: Axes, line: lines.Line, part: Any) -> str:
    x = part["threshold"].to_numpy(float)
    lines.band(ax, line, x, *(part[name].to_numpy(float) for name in ("net_benefit", "ci_low", "ci_high")))
    if line.quiet:
        return ""
    grey = style.ink(ax)[1]
    everyone = part["treat_all"].to_numpy(float)
    if not any(other.get_gid() == "none" for other in ax.get_lines()):
        ax.axhline(0, color=grey, linewidth=1, zorder=1, gid="none")
        ax.plot(x, everyone, color=grey, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1.2, gid="all", label="_")
        top = float(max(np.nanmax(np.asarray(line.get_ydata(), float), initial=0.02) for line in ax.get_lines()))
        ax.set_ylim(-0.25 * top, 1.25 * top)
        ax.annotate("act on none", (0.01, 0), (0, -2), textcoords="offset points", fontsize=7.5, color=grey, ha="left",
                    va="top")  # fmt: skip
        at = int(np.argmin(np.abs(everyone + 0.14 * top)))
        ax.annotate("act on all", (x[at], everyone[at]), (-4, 0), textcoords="offset points", fontsize=7.5, color=grey,
                    ha="right", va="center")  # fmt: skip
    return _above(x, (part["net_benefit"] > np.maximum(everyone, 0) + 1e-12).to_numpy())


def _above(x: np.ndarray, useful: np.ndarray) -> str:
    """Where a model is worth more than acting on all and on none: every stretch, or how many and how much of the range."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], useful, [False]]).astype(int)))
    if not len(edges):
        return "never above both"
    runs = [(x[first], x[last - 1]) for first, last in edges.reshape(-1, 2)]
    if len(runs) > STRETCHES:
        least, most = runs[0][0], runs[-1][1]
        return f"above both at {useful.sum()} of {len(x)}, {least:.2f} to {most:.2f} with gaps"
    if len(runs) == 1:
        return f"above both from {runs[0][0]:.2f} to {runs[0][1]:.2f}"
    return f"above both at {' and '.join(f'{first:.2f}–{last:.2f}' for first, last in runs)}"


def _finish(ax: Axes, kind: str, quantity: str) -> None:
    names = {
        "objective": f"{quantity} per row" if quantity == "cost" else quantity,
        "metrics": "share",
        "decision": "net benefit",
    }
    ax.set_xlabel("threshold probability" if kind == "decision" else "threshold")
    ax.set_ylabel(names[kind])
    if kind == "metrics":
        ax.set_ylim(-0.02, 1.06)
