"""Coloured cells with a text each: what heat maps and confusion matrices share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["draw_cells"]


def draw_cells(
    ax: Axes,
    values: np.ndarray,
    texts: np.ndarray,
    *,
    colors: Colormap,
    limits: tuple[float, float],
    lines: Any,
    width: float,
    font: dict[str, Any],
    colorbar: dict[str, Any] | None,
) -> None:
    """Draw a matrix, its first row at the top; cells that are NaN stay empty.

    Parameters
    ----------
    ax : Axes
    values, texts : arrays, shape (rows, columns)
    colors : Colormap
    limits : (low, high)
        Values of the ends of the colours.
    lines, width
        Colour and width of the lines between cells.
    font : dict
        Of the texts, for `Axes.text`.
    colorbar : dict, optional
        For `Figure.colorbar`; without it the colours are not explained.
    """
    import seaborn as sns

    cells = pd.DataFrame(values)
    with _unseen(ax):
        sns.heatmap(
            cells,
            ax=ax,
            cmap=colors,
            vmin=limits[0],
            vmax=limits[1],
            linewidths=width,
            linecolor=lines,
            xticklabels=False,
            yticklabels=False,
            cbar=colorbar is not None,
            cbar_kws=colorbar,
        )
    for row, column in np.argwhere(cells.notna().to_numpy()):
        text = ax.text(column + 0.5, row + 0.5, texts[row, column], ha="center", va="center", **font)
        text.set_in_layout(False)  # it lies inside its cell; measuring thousands takes seconds
    style.readable(ax)


@contextmanager
def _unseen(ax: Axes) -> Iterator[None]:
    """Keep a figure from being rendered: seaborn renders the whole of it, for every panel, to see whether labels overlap."""
    figure = ax.figure.canvas.figure
    seen = figure.get_visible()
    figure.set_visible(False)
    try:
        yield
    finally:
        figure.set_visible(seen)
