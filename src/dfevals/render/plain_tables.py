"""Any tidy frame as a table, and what all tables of frames share: the whiskers' axis and the line for what is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dfevals import words
from dfevals.render import table as render
from dfevals.render.grids import levels

__all__ = ["left_out", "plain_table", "whisker_axis"]


def plain_table(
    frame: pd.DataFrame,
    *,
    title: str = "",
    notes: Sequence[str] = (),
    cohort_columns: Sequence[str] = (),
    max_rows: int = 60,
    detail: str = "",
    headings: Mapping[str, str] | None = None,
) -> render.Table:
    """Any tidy frame as a table: its head, with `value` or `difference` and its interval drawn as whiskers.

    Numbers are written by what their column is: `p_…` as p-values, integers as counts, `note` in full. `headings` say
    what stands above columns in place of their names; a column that bears one is written as plain numbers.
    """
    head, headings = frame.head(max_rows), headings or {}
    whiskers = "ci_low" in head and "ci_low" not in headings
    possible = [name for name in ("difference", "value", "estimate") if name not in (*headings, *cohort_columns)]
    main = next((name for name in possible if name in head and whiskers), None)
    hidden = {"is_overall", *(("ci_low", "ci_high") if main else ())}
    columns = []
    for name in head.columns:
        if name in hidden:
            continue
        if name == main:
            columns.append(_plain_estimate(head, name))
        elif name in cohort_columns or not pd.api.types.is_numeric_dtype(head[name]):
            texts = head[name].astype(object).where(head[name].notna(), "")
            columns.append(render.text_column(str(name), texts, header=name in cohort_columns))
        else:
            columns.append(_plain_numbers(headings.get(name, str(name)), head[name]))
    apart = np.flatnonzero(head["is_overall"].to_numpy(dtype=bool)).tolist() if "is_overall" in head else []
    more = left_out(len(frame) - len(head), "row")
    return render.Table(columns, title=title, detail=detail, notes=notes, apart=frozenset(apart), more=more)


def _plain_estimate(head: pd.DataFrame, name: str) -> render.Column:
    value, low, high = (head[part].to_numpy(dtype=float, na_value=np.nan) for part in (name, "ci_low", "ci_high"))
    reference = 0.0 if name == "difference" else math.nan
    group, names = levels(head, "metric")
    start, stop = np.full(len(head), np.nan), np.full(len(head), np.nan)
    for code in range(len(names)):
        rows = group == code
        ends = whisker_axis(value[rows], low[rows], high[rows])
        start[rows], stop[rows] = np.fmin(ends[0], reference), np.fmax(ends[1], reference)
    return render.estimate_column(str(name), value, low, high, axis=(start, stop), reference=reference)


def _plain_numbers(name: str, values: pd.Series) -> render.Column:
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if name.startswith("p_"):
        return render.number_column(name, numbers, words.p_value)
    if pd.api.types.is_integer_dtype(values):
        return render.count_column(name, numbers)
    return render.Column(words.visible(name), words.column(numbers), "right")


def whisker_axis(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Ends of the axis that whiskers share; NaN where nothing is finite.

    A few hopeless intervals must not squash all others: where the full range is more than six times the range of
    the values and of the usual interval, the axis is cut there.
    """
    value, low, high = (numbers[np.isfinite(numbers)] for numbers in (value, low, high))
    if not value.size:
        return math.nan, math.nan
    least, most = float(np.concatenate([value, low]).min()), float(np.concatenate([value, high]).max())
    usual = float(np.ptp(value))
    if low.size and high.size:
        usual = max(usual, float(np.median(high) - np.median(low)))
    if usual > 0 and most - least > 6 * usual:
        middle = float(np.median(value))
        least = max(least, min(float(value.min()), middle - usual))
        most = min(most, max(float(value.max()), middle + usual))
    return least, most


def left_out(left: int, noun: str) -> str:
    """The line that says how many rows are not shown; empty where all are."""
    return f"… {left:,} more {noun}{'s' if left > 1 else ''}; .frame has all" if left > 0 else ""
