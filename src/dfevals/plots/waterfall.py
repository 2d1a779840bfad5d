"""A change of a number as a waterfall: from the old value by the mix of cohorts and by each cohort to the new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.plots import forest, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

ENDS = ("reference", "now")


def draw(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cohort_columns: Sequence[str] = (),
    level: float | None = 0.95,
    limit: int = 12,
    title: str = "",
    dark: bool | None = None,
) -> Axes:
    """Draw the split of one model and metric: the mix in one bar, then what happened within each cohort, greatest first.

    Parameters
    ----------
    frame : DataFrame
        `metric, value_reference, value, mix, within, …_low, …_high, is_overall`, as of `ev.attribute_change`.
    ax : Axes, optional
    cohort_columns : sequence of str
    level : float or None
        Of the intervals, which stand at the end of each bar.
    limit : int
        Cohorts at most; the others share one bar.
    title : str
    dark : bool, optional
        See `dfevals.plots.theme`.

    Returns
    -------
    Axes
    """
    steps = _steps(frame, cohort_columns, limit)
    overall = frame[frame["is_overall"].to_numpy(bool)].iloc[0]
    start, stop = float(overall["value_reference"]), float(overall["value"])
    with style.theme(dark):
        ax = panels.single(ax, (6.4, 1.2 + 0.34 * (len(steps) + 2)))
        metric = style.plain(str(overall["metric"]))
        ax.set_title(style.plain(title, 80) if title else f"Change of {metric}: {stop - start:+.3g}")
        ax.grid(True, axis="x")
        ax.set_axisbelow(True)
        ax.use_sticky_edges = False
        most = max((abs(size) for _, size, *_ in steps), default=0.0)
        decimals = int(np.clip(2 - np.floor(np.log10(most)), 0, 12)) if most > 0 else 0
        at = start
        for row, (_, size, low, high) in enumerate(steps, 1):
            _step(ax, row, at, size, (low, high), decimals)
            at += size
        for row, value in ((0, start), (len(steps) + 1, stop)):
            ax.plot(value, row, "D", color=style.ink(ax)[0], markersize=6, zorder=4, gid="end")
            ax.annotate(
                words.number(value), (value, row), (8, 0), textcoords="offset points", va="center", fontsize=8.5
            )
        names = [ENDS[0], *(style.plain(name, 30) for name, *_ in steps), ENDS[1]]
        ax.set_yticks(range(len(names)), names)
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set_xlabel(metric + (f", steps with {level * 100:g}% interval" if level is not None else ""))
        ax.margins(x=0.12)
    style.describe(ax, _words(metric, start, stop, steps))
    return ax


def _steps(frame: pd.DataFrame, cohort_columns: Sequence[str], limit: int) -> list[tuple[str, float, float, float]]:
    """Name, size and interval of every step; what is left over shares one, without an interval."""
    overall = frame["is_overall"].to_numpy(bool)
    mix = frame[overall].iloc[0]
    steps = [("mix of cohorts", float(mix["mix"]), float(mix["mix_low"]), float(mix["mix_high"]))]
    part = frame[~overall]
    order = np.argsort(-part["within"].abs().to_numpy(float), kind="stable")
    names = np.array(forest.names(part, cohort_columns), dtype=object)[order]
    numbers = part[["within", "within_low", "within_high"]].to_numpy(float)[order]
    kept = limit if len(numbers) > limit + 1 else len(numbers)
    steps += [
        (str(name), float(a), float(b), float(c)) for name, (a, b, c) in zip(names[:kept], numbers[:kept], strict=True)
    ]
    if kept < len(numbers):
        steps.append((f"{len(numbers) - kept} other cohorts", float(numbers[kept:, 0].sum()), np.nan, np.nan))
    return steps


def _step(ax: Axes, row: int, at: float, size: float, ends: tuple[float, float], decimals: int) -> None:
    """A bar from where the last one ended, its interval at its end, and a line to the next."""
    (low, high), (text, muted) = ends, style.ink(ax)
    shade = style.color(ax, 0) if size >= 0 else style.color(ax, 1)
    ax.barh(row, size, left=at, height=0.6, color=shade, alpha=0.55, zorder=2, gid="step")
    ax.plot([at + size] * 2, [row - 0.3, row + 1.3], color=muted, linewidth=0.8, zorder=1)
    if np.isfinite(low + high):
        ax.hlines(row, at + low, at + high, color=text, linewidth=1.2, zorder=3, gid="band")
    edge = np.nanmax([at, at + size, at + high])
    ax.annotate(
        f"{size:+.{decimals}f}", (edge, row), (5, 0), textcoords="offset points", va="center", fontsize=8, color=text
    )


def _words(metric: str, start: float, stop: float, steps: list[tuple[str, float, Any, Any]]) -> str:
    said = ", ".join(f"{name} {size:+.3g}" for name, size, *_ in steps[:4])
    return f"Waterfall of {metric} from {words.number(start)} to {words.number(stop)}: {said}."
