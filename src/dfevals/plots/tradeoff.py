"""What it costs to bring groups together: cost per row over the difference between them that is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dfevals import words
from dfevals.plots import lines, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]


def draw(
    curve: pd.DataFrame,
    price: pd.DataFrame,
    ax: Axes | None = None,
    *,
    criterion: str = "",
    title: str = "",
    dark: bool | None = None,
) -> Axes:
    """Draw the least cost for every difference, and where one threshold for all stands.

    Parameters
    ----------
    curve : DataFrame
        `model, difference, cost`.
    price : DataFrame
        `model, difference_now, cost_now`: one threshold for all groups.
    ax : Axes, optional
    criterion, title : str
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
    """
    said = []
    with style.theme(dark):
        ax = panels.single(ax, (5.6, 3.8))
        ax.set_title(style.plain(title or "What equal treatment costs", 80))
        ax.grid(True)
        ax.set_axisbelow(True)
        for at, row in enumerate(price.to_dict("records")):
            part = curve[(curve["model"] == row["model"]).to_numpy()]
            shade = lines.color(ax, lines.Line(row["model"], row["model"], "", at))
            named = style.plain(str(row["model"]), 30)
            ax.plot(
                part["difference"],
                part["cost"],
                color=shade,
                linewidth=2,
                drawstyle="steps-post",
                label=named,
                gid="curve",
            )
            ax.plot(
                row["difference_now"],
                row["cost_now"],
                "o",
                color=shade,
                markersize=7,
                label=f"{named}, one threshold",
                gid="now",
            )
            said.append(
                f"{row['model']}: one threshold {words.number(row['cost_now'])} at {words.number(row['difference_now'])}"
            )
        ax.set_xlabel(
            f"difference between groups ({style.plain(criterion, 40)})" if criterion else "difference between groups"
        )
        ax.set_ylabel("cost per row")
        ax.set_xlim(left=0)
        ax.legend(fontsize=8.5)
    style.describe(ax, f"Trade-off of cost and difference between groups. {'; '.join(said)}.")
    return ax
