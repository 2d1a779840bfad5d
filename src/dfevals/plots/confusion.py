"""Confusion matrix: counts and shares of each true class, one matrix or one per cohort."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words as write
from dfevals.exceptions import DataError
from dfevals.plots import forest, matrix, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["draw", "size"]

_CROWDED = 9
_LIGHT = ("#FFFFFF", "#D6E6F4", "#6AAED6", "#08519C")
_DARK = ("#1C2128", "#1F4E73", "#3F8FC9", "#BFE0F7")


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    labels: Sequence[Hashable] | None = None,
    pos_label: Hashable | None = None,
    normalize: bool = True,
    title: str = "",
    share_label: str = "share of the true class",
    colorbar: bool = True,
    limit: int = 12,
    dark: bool | None = None,
) -> Axes | np.ndarray:
    """Draw a confusion matrix, or one per cohort and model with the same classes.

    Parameters
    ----------
    frame : DataFrame
        `y_true, y_pred, count, share`, one row per cell; optionally cohort columns and `model`.
    ax : Axes, optional
        For a single matrix; default a new figure, as large as the classes need.
    cohort_columns : sequence of str
        Columns that name the cohorts.
    labels : sequence, optional
        Order of the classes; default that of the frame.
    pos_label : optional
        The positive class of two: its cells are then named TP, FP, FN, TN.
    normalize : bool
        Colours show shares; otherwise counts. Both are written in the cells.
    title : str
    share_label : str
        What `share` is a share of.
    colorbar : bool
        Whether the colours of a single matrix are explained.
    limit : int
        Matrices drawn at most; the heading says how many are left out.
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes, or array of Axes where there are several matrices
        True classes down, predicted classes across; each cell holds its count and share.

    Raises
    ------
    DataError
        If a cell is given twice, or several matrices are to go into one `ax`.
    """
    keys = [*cohort_columns, *(["model"] if "model" in frame and frame["model"].nunique() > 1 else [])]
    groups = np.array(forest.names(frame, keys), dtype=object)
    titles = list(dict.fromkeys(groups))
    classes = list(labels) if labels is not None else list(dict.fromkeys([*frame["y_true"], *frame["y_pred"]]))
    options: dict[str, Any] = {"names": _names(classes, pos_label), "normalize": normalize, "share_label": share_label}
    if len(titles) <= 1:
        with style.theme(dark):
            ax = panels.single(ax, size(len(classes), colorbar=colorbar))
            _draw_one(frame, ax, classes, title=title, colorbar=colorbar, **options)
            ax.set_title(style.plain(title, 60))
            return ax
    if ax is not None:
        raise DataError(f"ax= holds one matrix, but the frame has {len(titles)}: {', '.join(titles[:4])}, …")
    shown = titles[: max(limit, 1)]
    left_out = f"first {len(shown)} of {len(titles)}" if len(shown) < len(titles) else ""
    heading = " · ".join(filter(None, [title, f"rows and {share_label}", left_out]))
    with style.theme(dark):
        width, height = size(len(classes), colorbar=False)
        axes = panels.small_multiples(shown, (width, height), title=heading, room=width - 0.9)
        for panel, name in zip(axes, shown, strict=True):
            _draw_one(frame[groups == name], panel, classes, title=name, colorbar=False, **options)
            panel.set_xlabel(panel.get_xlabel() if panel.get_subplotspec().is_last_row() else "")
            panel.set_ylabel(panel.get_ylabel() if panel.get_subplotspec().is_first_col() else "")
    return axes


def _draw_one(
    frame: pd.DataFrame,
    ax: Axes,
    classes: Sequence[Hashable],
    *,
    names: np.ndarray,
    normalize: bool,
    title: str,
    share_label: str,
    colorbar: bool,
) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import FuncFormatter

    if frame.duplicated(["y_true", "y_pred"]).any():
        raise DataError("A cell of the matrix is given twice: name the columns of the cohorts with cohort_columns=.")
    count, share = (_spread(frame, classes, name) for name in ("count", "share"))
    crowded = len(classes) >= _CROWDED
    write_tick = write.percent if normalize else write.count
    top = 1.0 if normalize else max(float(np.nanmax(count, initial=0)), 1)
    bar = {"label": share_label if normalize else "rows", "shrink": 0.8, "aspect": 30}
    matrix.draw_cells(
        ax,
        np.where(np.isnan(share), np.nan, share if normalize else count),
        _texts(count, share, names, crowded),
        colors=_colors(ax),
        limits=(0, top),
        lines=style.GRID[style.is_dark(ax)],
        width=0.6,
        font={"fontsize": 6.5 if crowded else 9.5, "linespacing": 1.2},
        colorbar={**bar, "format": FuncFormatter(lambda tick, _: write_tick(tick))} if colorbar else None,
    )
    ax.set_aspect("equal")
    _write_undefined(ax, count, share, names, 6.5 if crowded else 9.5)
    for at in range(len(classes)):
        edge: dict[str, Any] = {"edgecolor": style.ink(ax)[1], "linewidth": 1, "clip_on": False, "gid": "diagonal"}
        ax.add_patch(Rectangle((at, at), 1, 1, fill=False, **edge))
    _label(ax, classes)
    style.describe(ax, _words(classes, count, share, title, share_label))


def size(classes: int, *, colorbar: bool = True) -> tuple[float, float]:
    """Inches that a matrix of so many classes needs."""
    cell = 0.52 if classes >= _CROWDED else 0.62 if classes > 4 else 1.0
    return 1.5 + cell * classes + 0.9 * colorbar, 1.1 + cell * classes


def _spread(frame: pd.DataFrame, classes: Sequence[Hashable], name: str) -> np.ndarray:
    place = {label: at for at, label in enumerate(classes)}
    grid = np.full((len(classes), len(classes)), np.nan)
    for true, predicted, number in zip(frame["y_true"], frame["y_pred"], frame[name], strict=True):
        if true in place and predicted in place:
            grid[place[true], place[predicted]] = number
    return grid


def _names(classes: Sequence[Hashable], pos_label: Hashable | None) -> np.ndarray:
    names = np.full((len(classes), len(classes)), "", dtype=object)
    if pos_label is not None and len(classes) == 2 and pos_label in classes:
        positive = list(classes).index(pos_label)
        other = 1 - positive
        names[positive, positive], names[positive, other] = "TP\n", "FN\n"
        names[other, positive], names[other, other] = "FP\n", "TN\n"
    return names


def _texts(count: np.ndarray, share: np.ndarray, names: np.ndarray, crowded: bool) -> np.ndarray:
    texts = np.full(count.shape, "", dtype=object)
    number = write.compact if crowded else write.count
    for at, n in np.ndenumerate(count):
        if np.isfinite(n):
            texts[at] = names[at] + (
                number(float(n)) if n == 0 else f"{number(float(n))}\n{write.percent(float(share[at]))}"
            )
    return texts


def _colors(ax: Axes) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("dfevals_share", _DARK if style.is_dark(ax) else _LIGHT)


def _write_undefined(ax: Axes, count: np.ndarray, share: np.ndarray, names: np.ndarray, size: float) -> None:
    """A class without rows has counts of 0 and no shares."""
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(np.isnan(share) & np.isfinite(count)):
        text = f"{names[row, column]}{write.count(float(count[row, column]))}"
        ax.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor=style.GRID[style.is_dark(ax)], linewidth=0.6))
        ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size, color=style.ink(ax)[1])


def _label(ax: Axes, classes: Sequence[Hashable]) -> None:
    names = style.plain_names(classes, 24)
    panels.name_columns(ax, names, crowded=len(classes) >= _CROWDED)
    ax.set_yticks(np.arange(len(classes)) + 0.5, names, rotation=0)
    ax.tick_params(length=0)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")


def _words(classes: Sequence[Hashable], count: np.ndarray, share: np.ndarray, title: str, share_label: str) -> str:
    name = f" of {title}" if title else ""
    words = f"Confusion matrix{name}, {len(classes)} classes, n = {write.count(float(np.nansum(count)))}."
    wrong = np.where(np.eye(len(classes), dtype=bool), np.nan, count)
    if not (wrong > 0).any():
        return f"{words} No row is misclassified."
    row, column = divmod(int(np.nanargmax(wrong)), len(classes))
    n, part = write.count(float(count[row, column])), write.percent(float(share[row, column]))
    return f"{words} Most frequent error: {classes[row]} predicted as {classes[column]}, {n} rows, {part} as {share_label}."
