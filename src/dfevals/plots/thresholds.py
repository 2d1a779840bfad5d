"""Charts of decisions: the objective and the metrics by threshold, net benefit, and the best thresholds of cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.exceptions import MetricError, check_choice
from dfevals.plots import forest, labels, lines, style
from dfevals.plots.curves import _keyed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KINDS", "draw"]

KINDS = ("objective", "metrics", "decision", "best")
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
    best = frames["best"]
    models = lines.models_of(best, model, one=kind in ("metrics", "best"))
    if kind == "best":
        shown = best[(best["model"].astype(str) == models[0]).to_numpy()].drop(columns=["value", "ci_low", "ci_high"])
        finite = shown.replace([np.inf, -np.inf], np.nan)
        finite = finite.rename(columns={"threshold": "value", "threshold_low": "ci_low", "threshold_high": "ci_high"})
        heading = f"Best threshold ({quantity})" if title is None else title
        return forest.draw(finite, ax, cohort_columns=cohort_columns, title=heading, level=level, dark=dark)
    tables = _keyed(frames["net_benefit" if kind == "decision" else "frame"], cohort_columns)
    chosen = _keyed(best, cohort_columns)

    def draw_one(axis: Axes, panel: lines.Panel) -> None:
        axis.grid(True)
        axis.set_axisbelow(True)
        entries, reasons, drawn = [], [], False
        for line in panel.lines:
            place = (line.cohort, line.model)
            row, part = chosen[place].iloc[0], tables[place]
            if str(row["note"]) in ("no rows", "no positives") and (kind != "objective" or quantity != "cost"):
                reasons.append(
                    str(row["note"])
                    if line.name == panel.title or len(panel.lines) == 1
                    else f"{line.name}: {row['note']}"
                )
                continue
            drawn = drawn or not line.quiet
            if kind == "objective":
                text = _objective(axis, line, part, row, quantity)
            elif kind == "decision":
                text = _decision(axis, line, part)
            else:
                text = _metrics(axis, line, part)
            named = len(panel.lines) > 1 or not panel.title
            if text:
                entries.append((line, f"{line.name}  {text}" if named and line.name != panel.title else text))
        if not drawn:
            lines.empty(axis, "; ".join(dict.fromkeys(reasons)) or "no rows")
        _finish(axis, kind, quantity)
        lines.key(axis, entries)
        style.describe(axis, _words(kind, quantity, panel, entries, reasons, level))

    heading = {
        "objective": f"{quantity.replace('_', ' ').capitalize()} by threshold",
        "metrics": "Metrics by threshold",
        "decision": "Net benefit",
    }[kind]
    return lines.draw_panels(
        best, ax, draw_one, cohort_columns=cohort_columns, models=models, title=heading if title is None else title,
        limit=limit, dark=dark, size=(3.7, 3.1), sharey=kind != "decision",
    )  # fmt: skip


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
    return f"best {labels.estimate(at, low, high)}"


def _metrics(ax: Axes, line: lines.Line, part: Any) -> str:
    if line.quiet:
        return ""
    known = np.isfinite(part["threshold"].to_numpy(float))
    x = part["threshold"].to_numpy(float)[known]
    names = [name for name in _METRICS if name in part]
    for at, name in enumerate(names):
        y = part[name].to_numpy(float)[known]
        good = np.isfinite(y)
        one = lines.Line(name, line.cohort, line.model, at)
        lines.band(ax, one, x, y)
        if good.any():
            wanted = x[0] + (x[-1] - x[0]) * (0.12 + 0.6 * at / max(len(names) - 1, 1))
            place = int(np.argmin(np.where(good, np.abs(x - wanted), np.inf)))
            ax.annotate(
                name.replace("_", " "), (x[place], y[place]), (0, 4), textcoords="offset points", fontsize=8,
                color=lines.color(ax, one), ha="center", va="bottom", zorder=6, gid="key",
                bbox={"facecolor": ax.get_facecolor(), "alpha": 0.75, "linewidth": 0, "pad": 0.4},
            )  # fmt: skip
    return ""


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
        top = float(np.nanmax(everyone, initial=0.01))
        ax.set_ylim(-0.25 * top, 1.25 * top)
        ax.annotate("act on none", (0.99, 0), (0, -2), textcoords="offset points", fontsize=7.5, color=grey, ha="right",
                    va="top")  # fmt: skip
        at = int(np.argmin(np.abs(everyone + 0.14 * top)))
        ax.annotate("act on all", (x[at], everyone[at]), (4, 0), textcoords="offset points", fontsize=7.5, color=grey,
                    ha="left", va="center")  # fmt: skip
    useful = (part["net_benefit"] > np.maximum(everyone, 0) + 1e-12).to_numpy()
    if not useful.any():
        return "never above both"
    return f"above both from {x[useful][0]:.2f} to {x[useful][-1]:.2f}"


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


def _words(
    kind: str,
    quantity: str,
    panel: lines.Panel,
    entries: Sequence[tuple[lines.Line, str]],
    reasons: Sequence[str],
    level: float,
) -> str:
    what = {
        "objective": f"{quantity.replace('_', ' ').capitalize()} by threshold",
        "metrics": "Metrics by threshold",
        "decision": "Decision curve",
    }[kind]
    name = f" of {panel.title}" if panel.title else ""
    shown = "; ".join(text if text.startswith(line.name) else f"{line.name} {text}" for line, text in entries)
    undefined = f" Not drawn: {'; '.join(reasons)}." if reasons else ""
    return f"{what}{name} with {level:.0%} intervals. {shown}.{undefined}".replace(" .", "")
