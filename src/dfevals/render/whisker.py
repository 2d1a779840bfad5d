"""Intervals as inline SVG for the cells of a table: text in, text out, no matplotlib."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["HEIGHT", "WIDTH", "whisker", "whiskers"]

#: Pixels of one whisker.
WIDTH, HEIGHT = 84, 14
_PAD = 5


def whisker(value: float, low: float, high: float, axis: tuple[float, float], reference: float = math.nan) -> str:
    """Inline SVG of one interval: a line with a dot, a thin upright line at `reference`; an end outside the axis is an arrow.

    Empty where `value` is not finite or the axis has no length. It repeats numbers that stand beside it, so it is
    hidden from screen readers.
    """
    start, stop = axis
    if not (math.isfinite(value) and stop > start):
        return ""

    def x(at: float) -> float:
        inner = WIDTH - 2 * _PAD
        return round(_PAD + inner * min(max((at - start) / (stop - start), 0.0), 1.0), 1)

    middle = HEIGHT / 2
    path = f"M{x(low)} {middle}H{x(high)}" if not (math.isnan(low) or math.isnan(high)) else ""
    arrows = (f"M{_PAD - 1} 4l-3 3l3 3" if low < start else "") + (
        f"M{WIDTH - _PAD + 1} 4l3 3l-3 3" if high > stop else ""
    )
    line = (
        f'<path d="M{x(reference)} 0V{HEIGHT}" stroke="currentColor" stroke-width="1" opacity=".45"/>'
        if start <= reference <= stop
        else ""
    )
    dot = (
        f'<circle cx="{x(value)}" cy="{middle:g}" r="3" fill="#2f8fd0" stroke="none"/>'
        if start <= value <= stop
        else ""
    )
    return (
        f'<svg aria-hidden="true" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#2f8fd0" '
        f'stroke-width="2">{line}<path d="{path}{arrows}"/>{dot}</svg>'
    )


def whiskers(
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    axis: tuple[np.ndarray | float, np.ndarray | float],
    reference: np.ndarray | float,
) -> list[str]:
    """One whisker per row; the axis and the reference are for all rows or per row."""
    start, stop, line = (np.broadcast_to(end, value.shape).tolist() for end in (*axis, reference))
    rows = zip(value.tolist(), low.tolist(), high.tolist(), start, stop, line, strict=True)
    return [whisker(v, a, b, (s, e), r) for v, a, b, s, e, r in rows]
