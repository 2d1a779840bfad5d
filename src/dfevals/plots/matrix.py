"""Coloured cells with a text each: what heat maps and confusion matrices share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
    low, high = limits
    cells = np.ma.masked_invalid(values)
    mesh = ax.pcolormesh(cells, cmap=colors, vmin=low, vmax=high, linewidth=width, edgecolors=lines)
    ax.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0))
    for side in ax.spines.values():
        side.set_visible(False)
    if colorbar is not None:
        ax.figure.colorbar(mesh, ax=ax, **colorbar).outline.set_linewidth(0)
    for row, column in np.argwhere(~np.ma.getmaskarray(cells)):
        text = ax.text(column + 0.5, row + 0.5, texts[row, column], ha="center", va="center", **font)
        text.set_in_layout(False)  # it lies inside its cell; measuring thousands takes seconds
    style.readable(ax)
