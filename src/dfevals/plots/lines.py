"""Curves with bands in one panel or in small multiples, one per cohort: what all curve charts share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.exceptions import MetricError, check_choice
from dfevals.plots import forest, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Line", "Panel", "band", "draw_panels", "empty", "explain", "key", "layout", "models_of", "name_ends"]

#: Side of a panel, inches.
SIDE = 3.5
_NAMED = 8  # lines named in a panel
_LEADING, _LETTER = 12.5, 4.9  # of the names, points
_DASHES: tuple[Any, ...] = ("solid", (0, (4, 1.5)), (0, (1, 1.2)))


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
        heading = " · ".join(filter(None, [title, left]))
        titles = [panel.title for panel in found]
        axes = panels.small_multiples(titles, size, title=heading, sharex=True, sharey=sharey)
        for axis, panel in zip(axes, found, strict=True):
            draw_one(axis, panel)
            place = axis.get_subplotspec()
            below = [other for other in axes if other.get_subplotspec().colspan == place.colspan]
            last = axis is below[-1]
            axis.set_xlabel(axis.get_xlabel() if last else "")
            axis.tick_params(labelbottom=last)
            axis.set_ylabel(axis.get_ylabel() if place.is_first_col() else "")
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
    if len(x) == 1:  # one point has no line
        ax.plot(x, y, "o", color=shade, markersize=4, zorder=3, label="_")
    if not line.quiet and low is not None and high is not None:
        ax.fill_between(
            x, low, high, color=shade, alpha=0.2, linewidth=0, step="post" if step else None, zorder=1.5, gid="band"
        )
    settings: dict[str, Any] = {
        "color": shade,
        "linewidth": 1.2 if line.quiet else 1.9,
        "linestyle": _dash(line),
        "zorder": 2 if line.quiet else 3,
        "solid_joinstyle": "round",
        "drawstyle": "steps-post" if step else "default",
        "gid": "quiet" if line.quiet else "curve",
        "label": "_",
    }
    ax.plot(x, y, **settings | options)


def explain(
    ax: Axes,
    panel: Panel,
    drawn: Sequence[tuple[Line, str]],
    missing: Sequence[tuple[Line, str]],
    n: Mapping[tuple[str, str], float],
    *,
    corner: str | None = None,
    room: bool = False,
    named: bool = True,
) -> str:
    """Name the lines of a panel, its rows, and why a line is missing; returns the same in words.

    Parameters
    ----------
    ax : Axes
    panel : Panel
    drawn, missing : sequence of (Line, str)
        What each line says of itself, and why others are not there.
    n : mapping of (cohort, model) to float
        Rows of each line.
    corner : str, optional
        Where the names stand; default the emptiest corner.
    room : bool
        Whether the vertical axis may be stretched to make room for the names.
    named : bool
        Whether the lines are named; otherwise only the rows are written.
    """
    loud = [line for line, _ in drawn if not line.quiet]
    one = len({line.cohort for line in panel.lines if not line.quiet}) == 1
    entries = [(line, _entry(panel, line, text, None if one else n[line.cohort, line.model])) for line, text in drawn]
    reasons = [text for _, text in missing]
    if len(set(reasons)) > 1 or (missing and loud and len(panel.lines) > 1):
        reasons = [f"{line.name}: {text}" if line.name != panel.title else text for line, text in missing]
    reason = "; ".join(dict.fromkeys(reasons))
    if not loud:
        empty(ax, reason or "no rows")
    rows = max((n[line.cohort, line.model] for line in panel.lines if not line.quiet), default=0.0)
    extra = [f"n = {words.count(rows)}"] if one and rows > 0 else []
    key(ax, entries if named else [], corner=corner, extra=extra, outside=not panel.title, room=room)
    shown = "; ".join(text if text.startswith(line.name) else f"{line.name} {text}" for line, text in entries if text)
    size = f" {extra[0]}." if extra else ""
    return f"{shown or 'Nothing to draw'}.{size}{f' Not drawn: {reason}.' if reason else ''}"


def _entry(panel: Panel, line: Line, text: str, n: float | None) -> str:
    """What stands in the key: the name where it is not the panel's, and the rows where they differ within the panel."""
    named = (len(panel.lines) > 1 or not panel.title) and line.name != panel.title
    rows = f"(n = {words.compact(n)})" if n is not None else ""
    return "  ".join(filter(None, [line.name if named else "", rows, text]))


def key(
    ax: Axes,
    entries: Sequence[tuple[Line, str]],
    *,
    corner: str | None = None,
    extra: Sequence[str] = (),
    outside: bool = False,
    room: bool = False,
) -> None:
    """Name the lines in their colours in the emptiest corner of the panel, or below it where they would cover it.

    Parameters
    ----------
    ax : Axes
    entries : sequence of (Line, str)
    corner : str, optional
    extra : sequence of str
        Lines of grey text after the names.
    outside : bool
        Whether the names may go below the panel.
    room : bool
        Whether the vertical axis may be stretched upwards.
    """
    grey = style.ink(ax)[1]
    named = [(line, text) for line, text in entries if text]
    texts = [(style.legible(ax, color(ax, line)), style.plain(text, 52)) for line, text in named]
    hidden = len(texts) - _NAMED
    texts = texts[:_NAMED] + ([(grey, f"… {hidden} more")] if hidden > 0 else []) + [(grey, text) for text in extra]
    if not texts:
        return
    box = ax.get_window_extent()
    width, height = (72 * side / ax.figure.dpi for side in (box.width, box.height))
    share = (len(texts) * _LEADING + 4) / height
    if outside and len(named) > 1 and (share > 0.4 or max(len(text) for _, text in texts) * _LETTER > width):
        _below(ax, named, extra, width)
        return
    where = corner or _emptiest(ax, share, room=room)
    top, right = where.startswith("upper"), where.endswith("right")
    for at, (shade, text) in enumerate(texts):
        row = at if top else len(texts) - 1 - at
        ax.annotate(
            text,
            (0.97 if right else 0.03, 0.97 if top else 0.03),
            (0, (-1 if top else 1) * _LEADING * row),
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


def name_ends(ax: Axes, ends: Sequence[tuple[str, str, float, float]]) -> None:
    """Name lines beside their last points, moved apart where they would overlap.

    Parameters
    ----------
    ax : Axes
        Its limits must be final.
    ends : sequence of (name, colour, x, y)
    """
    order = sorted(ends, key=lambda end: end[3])
    low, high = ax.get_ylim()
    points = 72 * ax.get_window_extent().height / ax.figure.dpi
    height = [(y - low) / (high - low) * points for *_, y in order]
    placed = list(height)
    for _ in range(50):  # push neighbours apart evenly until all are
        for at in range(1, len(placed)):
            short = 10.0 - (placed[at] - placed[at - 1])
            if short > 0:
                placed[at - 1] -= short / 2
                placed[at] += short / 2
    names = style.plain_names((name for name, *_ in order), 18)
    for name, (_, shade, x, y), own, there in zip(names, order, height, placed, strict=True):
        ax.annotate(
            name, (x, y), (6, there - own), textcoords="offset points", fontsize=8, va="center",
            color=style.legible(ax, shade), gid="name", annotation_clip=False,
        )  # fmt: skip


def _below(ax: Axes, entries: Sequence[tuple[Line, str]], extra: Sequence[str], width: float) -> None:
    """A legend under the panel, names without numbers where they would not fit."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import ScaledTranslation

    parts = [text.split("  ") for _, text in entries]
    for kept in (3, 2, 1):  # name, rows, number: as much as leaves the panel its place
        texts = [style.plain("  ".join(part[:kept]), 52) for part in parts]
        columns = int(width // (max(map(len, texts)) * 4.5 + 34))
        if columns * 4 >= len(texts):
            break
    handles = [
        Line2D([], [], color=color(ax, line), linestyle=_dash(line), linewidth=1.2 if line.quiet else 1.9)
        for line, _ in entries
    ]
    handles += [Line2D([], [], linewidth=0) for _ in extra]
    texts += extra
    slanted = any(label.get_rotation() % 360 for label in ax.get_xticklabels())
    down = ScaledTranslation(0, -(52 if slanted else 36) / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles, texts, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=ax.transAxes + down, fontsize=8,
        ncols=max(1, columns), handlelength=1.4, columnspacing=1, borderpad=0,
    )  # fmt: skip


def _dash(line: Line) -> Any:
    """Solid for the first colours of the palette; where they come again, the dash tells lines apart."""
    return _DASHES[max(line.color, 0) // len(style.PALETTE) % len(_DASHES)]


def _emptiest(ax: Axes, height: float, *, room: bool) -> str:
    """The corner with the fewest points of curves under names of that height, in axes; `room` stretches the upper ones."""
    points = []
    for line in ax.get_lines():
        if line.get_gid() in ("curve", "quiet", "all"):
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
    height = min(height, 0.6)
    counts = {}
    for where in ("lower right", "upper right", "upper left", "lower left"):
        y = xy[:, 1] > 1 - height if where.startswith("upper") else xy[:, 1] < height
        counts[where] = int((_half(xy, where) & y).sum())
    best = min(counts, key=lambda where: counts[where])
    if room and counts[best] > 4:
        tops = {where: xy[_half(xy, where), 1].max(initial=0) for where in ("upper right", "upper left")}
        best = min(tops, key=lambda where: tops[where])
        low, high = ax.get_ylim()
        ax.set_ylim(low, max(high, low + tops[best] * (high - low) / (1 - height - 0.03)))
    return best


def _half(xy: np.ndarray, where: str) -> np.ndarray:
    return np.asarray(xy[:, 0] > 0.42 if where.endswith("right") else xy[:, 0] < 0.58)


def empty(ax: Axes, reason: str) -> None:
    """Say why a panel has no curve; nothing that could be mistaken for one stays."""
    for line in [line for line in ax.get_lines() if line.get_gid() != "quiet"]:
        line.remove()
    for text in list(ax.texts):
        text.remove()
    alone = len(ax.get_shared_y_axes().get_siblings(ax)) == 1
    if alone and not ax.get_lines() and ax.get_autoscaley_on():
        ax.set_yticks([])
    ax.annotate(
        style.plain(reason, 60),
        (0.5, 0.5),
        xycoords="axes fraction",
        ha="center",
        va="center",
        fontsize=10,
        color=style.ink(ax)[1],
        gid="empty",
        zorder=7,
        bbox={"facecolor": ax.get_facecolor(), "alpha": 0.85, "linewidth": 0, "pad": 2},
        wrap=True,
    )
