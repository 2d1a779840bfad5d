"""Critical-difference diagram (Demšar 2006): mean ranks on a line, models that do not differ joined by bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dfevals.plots import panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]


def draw(test: Any, names: Sequence[str], ax: Axes | None = None, *, title: str = "", dark: bool | None = None) -> Axes:
    """Draw mean ranks with their critical difference.

    Parameters
    ----------
    test : NemenyiTest
        `ranks`, `critical_difference`, `alpha`, `groups` (sets of models that do not differ), `n` blocks.
    names : sequence of str
        Models, in the order of the ranks.
    ax : Axes, optional
    title : str
    dark : bool, optional

    Returns
    -------
    Axes
        Rank 1, the best, is at the left.
    """
    ranks = np.asarray(test.ranks, float)
    order = np.argsort(ranks, kind="stable")
    k, half = len(ranks), (len(ranks) + 1) // 2
    groups = list(test.groups)
    with style.theme(dark):
        ax = panels.single(ax, (7.2, 1.5 + 0.28 * half + 0.16 * len(groups)))
        text, muted = style.ink(ax)
        low, high = 1.0, float(k)
        top, first = 0.0, 0.75 + 0.42 * len(groups)
        ax.plot([low, high], [top, top], color=text, linewidth=1.2)
        for tick in range(1, k + 1):
            ax.plot([tick, tick], [top, top - 0.22], color=text, linewidth=1.2)
            ax.annotate(str(tick), (tick, top - 0.28), ha="center", va="bottom", fontsize=9)
        span = high - low
        for place, model in enumerate(order):
            left = place < half
            y = first + 0.62 * (place if left else k - 1 - place)
            end = low - 0.06 * span if left else high + 0.06 * span
            ax.plot([ranks[model], ranks[model], end], [top, y, y], color=muted, linewidth=1)
            ax.plot(ranks[model], top, "o", color=style.color(ax, 0), markersize=6, zorder=3)
            words = f"{style.plain(names[model], 28)}  {ranks[model]:.2f}"
            ax.annotate(
                words, (end, y), (-4 if left else 4, 0), textcoords="offset points", ha="right" if left else "left",
                va="center", color=text,
            )  # fmt: skip
        for at, group in enumerate(groups):
            ends = ranks[list(group)]
            y = 0.42 * (at + 1)
            ax.plot(
                [ends.min() - 0.012 * span, ends.max() + 0.012 * span], [y, y], color=style.color(ax, 1), linewidth=4,
                solid_capstyle="round", gid="group", zorder=4,
            )  # fmt: skip
        if np.isfinite(test.critical_difference):
            width = min(float(test.critical_difference), 1.3 * span)
            ax.plot([low, low + width], [-1.35, -1.35], color=text, linewidth=1.5, gid="critical difference")
            for x in (low, low + width):
                ax.plot([x, x], [-1.5, -1.2], color=text, linewidth=1.5)
            ax.annotate(
                f"critical difference {test.critical_difference:.2f} (α = {test.alpha:g}, {int(test.n)} blocks)",
                (low, -1.62), ha="left", va="bottom", fontsize=9, color=muted,
            )  # fmt: skip
        ax.set_ylim(first + 0.62 * (half - 1) + 0.45, -2.3)
        ax.set_xlim(low - 0.42 * span, max(high + 0.42 * span, low + 1.35 * span))
        ax.set_axis_off()
        ax.set_title(style.plain(f"Mean ranks{': ' + title if title else ''}", 80) + " (1 is best)", loc="left")
    places = ", ".join(f"{names[m]} {ranks[m]:.2f}" for m in order)
    joined = "; ".join(" and ".join(names[m] for m in group) for group in groups) or "none"
    style.describe(
        ax,
        f"Critical-difference diagram. Mean ranks: {places}. Critical difference {test.critical_difference:.2f}. "
        f"Models that do not differ: {joined}.",
    )
    return ax
