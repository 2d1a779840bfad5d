"""Posterior of the difference of two learners, with the region of practical equivalence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dfevals import words
from dfevals.plots import panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]


def draw(
    test: Any, names: tuple[str, str], ax: Axes | None = None, *, title: str = "", dark: bool | None = None
) -> Axes:
    """Draw the Student posterior of a Bayesian correlated t test.

    Parameters
    ----------
    test : BayesianTest
        `estimate, scale, df, rope, better, p_a, p_rope, p_b, ci_low, ci_high` of one comparison.
    names : (str, str)
        The two learners.
    ax : Axes, optional
    title : str
        The metric.
    dark : bool, optional
    """
    from scipy.stats import t

    centre, scale, rope = float(test.estimate), float(test.scale), float(test.rope)
    reach = max(4 * scale, abs(centre) + 1.5 * rope, 1e-9) if np.isfinite(scale) and scale > 0 else max(2 * rope, 0.01)
    low, high = min(centre - 4 * scale, -1.6 * rope), max(centre + 4 * scale, 1.6 * rope)
    if not np.isfinite(low + high) or low == high:
        low, high = -reach, reach
    x = np.linspace(low, high, 801)
    y = t.pdf(x, test.df, centre, scale) if scale > 0 else np.zeros_like(x)
    a, b = (style.plain(name, 24) for name in names)
    word = "greater" if test.better == "none" else "better"
    with style.theme(dark):
        ax = panels.single(ax, (7.0, 3.2))
        text, muted = style.ink(ax)
        ax.plot(x, y, color=text, linewidth=1.2)
        sides = [
            (style.color(ax, 1), f"{b} {word}: {words.percent(float(test.p_b))}"),
            (style.color(ax, 0), f"{a} {word}: {words.percent(float(test.p_a))}"),
        ]
        left, right = sides[::-1] if test.better == "lower" else sides
        parts = (
            (x <= -rope, *left),
            (np.abs(x) <= rope, muted, f"equivalent (±{rope:g}): {words.percent(float(test.p_rope))}"),
            (x >= rope, *right),
        )
        for mask, color, label in parts:
            ax.fill_between(x, y, where=mask, color=color, alpha=0.55, linewidth=0, label=label)
        for edge in (-rope, rope):
            ax.axvline(edge, color=muted, linewidth=1, linestyle=(0, (4, 3)), gid="rope")
        ax.plot(
            [test.ci_low, test.ci_high], [0, 0], color=text, linewidth=3, solid_capstyle="butt", zorder=4, clip_on=False
        )
        ax.plot(centre, 0, "o", color=text, markersize=5, zorder=5, clip_on=False)
        ax.set_ylim(0, None)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(style.plain(f"difference in {title}" if title else "difference") + f", {a} − {b}")
        ax.set_title(f"How probable is a difference that matters? {a} and {b}", pad=24)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.015, 0.985), ncols=3, handlelength=1.2, borderpad=0.2)
    style.describe(
        ax,
        f"Posterior of the difference between {names[0]} and {names[1]}: probability {test.p_a:.3f} that {names[0]} is "
        f"{word}, {test.p_rope:.3f} that they are equivalent within {rope:g}, {test.p_b:.3f} that {names[1]} is {word}.",
    )
    return ax
