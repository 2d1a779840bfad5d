"""Curves with bands in one panel or in small multiples, one per cohort: what all curve charts share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.exceptions import MetricError, check_choice
from dfevals.plots import forest, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Line", "Panel", "band", "draw_panels", "empty", "key", "layout", "models_of"]

#: Side of a panel, inches.
SIDE = 3.5


@dataclass(frozen=True)
class Line:
    """One model in one cohort (and class): where its rows are, and how it looks.

    `color` is a place in the palette; −1 is the grey of overall; `quiet` lines have no band and no mark.
    """

    name: str
    cohort: str
    model: str
    color: int
    quiet: bool = False


@dataclass(frozen=True)
class Panel:
    """A panel and its lines."""

    title: str
    lines: tuple[Line, ...]


def models_of(frame: pd.DataFrame, wanted: str | Sequence[str] | None, *, one: bool = False) -> list[str]:
    """The models to draw, all when absent (or the first)."""
    known = list(dict.fromkeys(frame["model"].astype(str)))
    if wanted is None:
        return known[:1] if one else known
    chosen = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in chosen:
        check_choice("model", name, known, MetricError)
    return chosen[:1] if one else chosen


def layout(
    frame: pd.DataFrame,
    cohort_columns: Sequence[str],
    models: Sequence[str],
    *,
    joined: bool,
    limit: int,
    grey: bool = True,
) -> tuple[list[Panel], str]:
    """Panels of a chart and a line that says what is left out.

    One model: a panel per cohort, overall in grey behind it. Several models: overall first, then a panel per cohort, models
    coloured. `joined`: all in one panel. `grey`: whether overall is drawn behind the cohorts.
    """
    names = forest.names(frame, cohort_columns)
    every = list(dict.fromkeys(names))
    overall = list(dict.fromkeys(np.array(names, dtype=object)[frame["is_overall"].to_numpy(bool)]))
    cohorts = [name for name in every if name not in overall]
    several = len(models) > 1
    if joined:
        kept = [*overall, *cohorts][: limit + len(overall)]
        lines: list[Line] = []
        for name in kept:
            for model in models:
                label = " · ".join(part for part in (name if len(kept) > 1 else "", model if several else "") if part)
                quiet = len(kept) > 1 and name in overall and not several and len(overall) == 1
                color = -1 if quiet else len([line for line in lines if line.color >= 0])
                lines.append(Line(label or model, name, model, color, quiet=quiet))
        return [Panel("", tuple(lines))], _left(len(every), len(kept))
    if not cohorts:
        if len(overall) == 1:
            own = tuple(Line(model, overall[0], model, at) for at, model in enumerate(models))
            return [Panel("", own)], ""
        return _several(overall, models, several, [], limit)
    behind = overall if len(overall) == 1 and not several and grey else []
    shown = cohorts if behind else [*overall, *cohorts]
    return _several(shown, models, several, behind, limit)


def _several(
    names: Sequence[str], models: Sequence[str], several: bool, behind: Sequence[str], limit: int
) -> tuple[list[Panel], str]:
    found = []
    for name in names[:limit]:
        grey = tuple(Line("overall", other, models[0], -1, quiet=True) for other in behind)
        own = tuple(Line(model if several else name, name, model, i) for i, model in enumerate(models))
        found.append(Panel(name, (*grey, *own)))
    return found, _left(len(names), len(found))


def _left(total: int, shown: int) -> str:
    return f"first {shown} of {total}" if shown < total else ""


def draw_panels(
    frame: pd.DataFrame,
    ax: Axes | None,
    draw_one: Callable[[Axes, Panel], None],
    *,
    cohort_columns: Sequence[str],
    models: Sequence[str],
    title: str,
    limit: int = 12,
    dark: bool | None = None,
    size: tuple[float, float] = (SIDE, SIDE),
    sharey: bool = True,
    grey: bool = True,
) -> Any:
    """Lay out the panels and draw each; returns the Axes, or an array of them where there are several.

    Parameters
    ----------
    frame : DataFrame
        Rows with the cohort columns, `model` and `is_overall`.
    ax : Axes or None
        Takes all cohorts.
    draw_one : callable (ax, panel)
    size : (width, height)
        Inches of a panel of several; a single one is larger.
    sharey : bool
        Whether panels share the scale.
    grey : bool
        Whether overall is drawn behind the cohorts.
    """
    found, left = layout(frame, cohort_columns, models, joined=ax is not None, limit=limit, grey=grey)
    with style.theme(dark):
        if len(found) == 1:
            big = (size[0] * 1.5, size[1] * 1.35)
            axis = panels.single(ax, big)
            draw_one(axis, found[0])
            axis.set_title(style.plain(" · ".join(filter(None, [title, found[0].title, left])), 70))
            return axis
        columns = 4 if len(found) > 6 else None
        heading = " · ".join(filter(None, [title, left]))
        titles = [panel.title for panel in found]
        axes = panels.small_multiples(titles, size, columns=columns, title=heading, sharex=True, sharey=sharey)
        for axis, panel in zip(axes, found, strict=True):
            draw_one(axis, panel)
            place = axis.get_subplotspec()
            below = [other for other in axes if other.get_subplotspec().colspan == place.colspan]
            last = axis is below[-1]
            axis.set_xlabel(axis.get_xlabel() if last else "")
            axis.tick_params(labelbottom=last)
            axis.set_ylabel(axis.get_ylabel() if place.is_first_col() else "")
            axis.set_title(style.plain(panel.title, 34))
        return axes


def color(ax: Axes, line: Line) -> str:
    """Colour of a line on this ground."""
    return style.ink(ax)[1] if line.color < 0 else style.color(ax, line.color)


def band(
    ax: Axes,
    line: Line,
    x: np.ndarray,
    y: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    *,
    step: bool = False,
    **options: Any,
) -> None:
    """Draw a line with its band."""
    shade = color(ax, line)
    if not line.quiet and low is not None and high is not None:
        ax.fill_between(
            x, low, high, color=shade, alpha=0.2, linewidth=0, step="post" if step else None, zorder=1.5, gid="band"
        )
    settings: dict[str, Any] = {
        "color": shade,
        "linewidth": 1.2 if line.quiet else 1.9,
        "zorder": 2 if line.quiet else 3,
        "solid_joinstyle": "round",
        "drawstyle": "steps-post" if step else "default",
        "gid": "quiet" if line.quiet else "curve",
        "label": "_",
    }
    ax.plot(x, y, **settings | options)


def key(ax: Axes, entries: Sequence[tuple[Line, str]], *, corner: str | None = None, extra: Sequence[str] = ()) -> None:
    """Name the lines in their colours in the emptiest corner of the panel."""
    texts = [(_text_color(ax, line), style.plain(text, 52)) for line, text in entries if text]
    texts += [(style.ink(ax)[1], text) for text in extra]
    if not texts:
        return
    many = len(texts) > 8
    texts = texts[:8] + ([(style.ink(ax)[1], f"… {len(entries) - 8} more")] if many else [])
    where = corner or _emptiest(ax, len(texts))
    top, right = where.startswith("upper"), where.endswith("right")
    for at, (shade, text) in enumerate(texts):
        row = at if top else len(texts) - 1 - at
        ax.annotate(
            text,
            (0.97 if right else 0.03, 0.97 if top else 0.03),
            (0, (-1 if top else 1) * 12.5 * row),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right" if right else "left",
            va="top" if top else "bottom",
            color=shade,
            fontsize=8.5,
            zorder=6,
            gid="key",
            bbox={"facecolor": ax.get_facecolor(), "alpha": 0.7, "linewidth": 0, "pad": 0.6},
        )


def _text_color(ax: Axes, line: Line) -> str:
    """The line's colour, or ink where that colour (yellow on a light ground) cannot be read as text."""
    shade = color(ax, line)
    return style.ink(ax)[0] if shade == style.PALETTE[6] else shade


def _emptiest(ax: Axes, rows: int) -> str:
    """The corner with the fewest points of curves under the names."""
    points = []
    for line in ax.get_lines():
        if line.get_gid() in ("curve", "quiet"):
            xy = np.asarray(line.get_xydata(), float)
            xy = xy[np.isfinite(xy).all(axis=1)]
            if len(xy) > 1:  # evenly along the line: vertices crowd where the curve is steep
                xy = ax.transAxes.inverted().transform(ax.transData.transform(xy))
                along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
                even = np.linspace(0, along[-1], 200)
                points.append(np.column_stack([np.interp(even, along, xy[:, 0]), np.interp(even, along, xy[:, 1])]))
    if not points:
        return "lower right"
    xy = np.concatenate(points)
    height = min(0.07 * rows + 0.04, 0.6)
    counts = {}
    for where in ("lower right", "upper right", "upper left", "lower left"):
        x = xy[:, 0] > 0.42 if where.endswith("right") else xy[:, 0] < 0.58
        y = xy[:, 1] > 1 - height if where.startswith("upper") else xy[:, 1] < height
        counts[where] = int((x & y).sum())
    return min(counts, key=lambda where: counts[where])


def empty(ax: Axes, reason: str) -> None:
    """Say why a panel has no curve."""
    ax.annotate(
        style.plain(reason, 60),
        (0.5, 0.5),
        xycoords="axes fraction",
        ha="center",
        va="center",
        fontsize=10,
        color=style.ink(ax)[1],
        gid="empty",
        wrap=True,
    )
