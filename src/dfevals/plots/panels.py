"""Figures and small multiples: one figure, equal panels, nothing global left behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dfevals.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["name_columns", "single", "small_multiples", "stacked"]


def single(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """`ax`, or the axes of a new figure of `size` inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, new = plt.subplots(figsize=size, layout="compressed")
    return new


def small_multiples(
    titles: Sequence[str],
    size: tuple[float, float],
    *,
    columns: int | None = None,
    title: str = "",
    room: float | None = None,
    **options: Any,
) -> np.ndarray:
    """A grid of equal panels, one per title, unused places removed.

    Parameters
    ----------
    titles : sequence of str
        One panel each.
    size : (width, height)
        Inches per panel.
    columns : int, optional
        Panels side by side; default up to four, the last row as full as can be.
    title : str
        Over the whole figure.
    room : float, optional
        Inches for the title of a panel, where panels come to stand closer than their width.
    **options
        For `matplotlib.pyplot.subplots` (`sharex`, `sharey`, …).

    Returns
    -------
    array of Axes, one per title
    """
    import matplotlib.pyplot as plt

    columns = min(len(titles), columns or _columns(len(titles)))
    rows = math.ceil(len(titles) / columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(size[0] * columns, size[1] * rows), layout="compressed", squeeze=False, **options
    )
    axes = grid.reshape(-1)
    for ax, name in zip(axes, style.plain_names(titles, int(9 * (room or size[0]))), strict=False):
        ax.set_title(name)
    for ax in axes[len(titles) :]:
        ax.remove()
    if title:
        figure.suptitle(style.plain(title, 100), fontweight="bold", ha="left", x=0.01)
    return np.asarray(axes[: len(titles)])


def stacked(sizes: Sequence[tuple[float, float]], *, dark: bool | None = None) -> np.ndarray:
    """Axes one below the other in a new figure, each of its own size in inches."""
    import matplotlib.pyplot as plt

    heights = [height for _, height in sizes]
    with style.theme(dark):
        _, axes = plt.subplots(
            len(sizes), 1, figsize=(max(width for width, _ in sizes), sum(heights)), height_ratios=heights,
            layout="constrained", squeeze=False,
        )  # fmt: skip
    return np.asarray(axes[:, 0])


def _columns(panels: int) -> int:
    """Up to three panels in a row, four where they are many, and the fewest empty places."""
    if panels <= 4:
        return 2 if panels == 4 else panels
    return min((3, 4) if panels > 6 else (3,), key=lambda columns: (-panels % columns, -columns))


def name_columns(ax: Axes, names: Sequence[str], *, crowded: bool = False) -> None:
    """Name the columns of a matrix: level, broken into two lines, or slanting, whichever is the first to fit."""
    width = 5 if crowded else 12
    level = style.wrapped(names, width)
    places = np.arange(len(names)) + 0.5
    if level is not None:
        ax.set_xticks(places, level, rotation=0)
        return
    ax.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
