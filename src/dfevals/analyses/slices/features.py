"""Columns as conditions: automatic bins, the values that are frequent enough, and what is left out and why."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.cohorts.by import group_of
from dfevals.cohorts.definitions import Bins, Column, Definition, Dimension, Period, column_of, value_condition
from dfevals.cohorts.intervals import Numbers, quoted
from dfevals.columns.codes import code_dtype, factorise, relabel
from dfevals.columns.codes import texts as texts_of
from dfevals.columns.numbers import contents, distinct
from dfevals.exceptions import CohortError
from dfevals.roles.bound import Bound

__all__ = ["Feature", "Features", "features_of"]

Array = npt.NDArray[Any]
FEW_VALUES = 10  # numbers with so many distinct values are categories
MANY_VALUES = 20  # the most frequent values of a column that are searched
LONG_TEXT = 30  # characters on average from which texts are prose, searched by their length
SPANS = ((730, "year"), (180, "quarter"), (45, "month"), (10, "week"), (0, "day"))
_INTERVAL = re.compile(r"(`(?:[^`]|``)+`|[\w()]+) >= ('[^']+'|[-\d.e+]+) and \1 < ('[^']+'|[-\d.e+]+)")
LEAK = 0.95  # share of the label's information, from which a column gives it away


@dataclass(frozen=True)
class Feature:
    """A column as conditions: the code of every row, and per code the expression ("" for codes that form no slice).

    Of intervals, `below` are the conditions that select all codes up to each, but for the last.
    """

    name: str
    codes: Array
    conditions: tuple[str, ...]
    below: tuple[str, ...] = ()
    leak: str = ""

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.conditions)

    def take(self, rows: Array) -> Feature:
        """The feature of some of the rows."""
        return replace(self, codes=self.codes[rows])


@dataclass(frozen=True)
class Features:
    """What is searched, and what is to be said of it."""

    used: tuple[Feature, ...]
    left_out: dict[str, str]
    notes: tuple[str, ...]


def features_of(
    bound: Bound, frame: pd.DataFrame, asked: Any, bins: int, least: float, count: Array | None, truth: Array | None
) -> Features:
    """The features asked for, or every column that plays no role.

    Parameters
    ----------
    bound : Bound
    frame : DataFrame
        The rows that are searched.
    asked : column, definition, list of these, or None
    bins : int
        Intervals of a column of numbers.
    least : float
        Rows that a condition must hold in.
    count : ndarray, optional
        Rows that each row stands for.
    truth : ndarray, optional
        Label of each row, for features that give it away.

    Raises
    ------
    CohortError
        A column is not in the frame, or none can be searched.
    """
    chosen = group_of(asked) if asked is not None else tuple(map(Column, _free(bound, frame)))
    used: list[Feature] = []
    left_out: dict[str, str] = {}
    notes: list[str] = []
    for definition in chosen:
        try:
            found = _feature(definition, frame, bins, least, count, named=asked is not None, notes=notes)
        except _LeftOut as reason:
            left_out[str(definition.column)] = str(reason)
            continue
        used.append(replace(found, leak=_leak(found, definition.column, frame, truth)))
    notes += [f"{f.name} gives the label away ({f.leak}): is it known when the model decides?" for f in used if f.leak]
    return Features(tuple(used), left_out, (*_said(left_out), *notes))


def _said(left_out: dict[str, str]) -> list[str]:
    """One sentence per reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [
        f"Not searched, {reason}: {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}."
        for reason, names in by_reason.items()
    ]


class _LeftOut(Exception):
    """Why a column is no feature."""


def _free(bound: Bound, frame: pd.DataFrame) -> list[Hashable]:
    """Columns that play no role; those that only make cohorts are free."""
    roles = bound.roles
    taken = {*roles.single().values(), *(name for model in bound.models for name in model.columns)}
    taken |= {name for o in roles.outcomes for name in (o.column, o.error_column) if name is not None}
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise CohortError(f"The frame has several columns named {twice!r}; rename them so that one is meant.")
    return [name for name in frame.columns if name not in taken]


def _feature(
    definition: Definition,
    frame: pd.DataFrame,
    bins: int,
    least: float,
    count: Array | None,
    *,
    named: bool,
    notes: list[str],
) -> Feature:
    """Codes and conditions of one column, rare values put together into one code that forms no slice."""
    series = column_of(frame, definition.column)
    plain = isinstance(definition, Column)
    if series.isna().all():
        raise _LeftOut("all missing")
    try:
        found = _automatic(series, frame, bins, named) if plain else definition.dimension(frame, None)
    except CohortError as error:
        if named:
            raise
        raise _LeftOut("their cells cannot be grouped") from error
    name = str(definition.column) if plain else repr(definition)
    conditions = [_chained(found.condition(code)) for code in range(len(found.labels))]
    rows = np.bincount(found.codes, count, len(conditions))
    if (rows > 0).sum() < 2:
        raise _LeftOut("constant")
    fits = np.flatnonzero((rows >= least) & np.array([condition != "" for condition in conditions]))
    if not len(fits):
        raise _LeftOut("without a value that is frequent enough")
    if len(fits) > MANY_VALUES:
        notes.append(f"Of {name} only the {MANY_VALUES} most frequent values are searched.")
        fits = np.sort(fits[np.argsort(-rows[fits], kind="stable")[:MANY_VALUES]])
    return _kept(name, found, fits, conditions)


def _chained(condition: str) -> str:
    """An interval as one comparison: ``30 <= age < 50``."""
    match = _INTERVAL.fullmatch(condition)
    return f"{match[2]} <= {match[1]} < {match[3]}" if match else condition


def _kept(name: str, found: Dimension, fits: Array, conditions: list[str]) -> Feature:
    rest = len(fits) < len(conditions)
    intervals = 1 + len(found.cut or ())
    whole = bool(np.array_equal(fits[:intervals], np.arange(intervals)))
    lut = np.full(len(conditions), len(fits), code_dtype(len(fits) + 2))
    lut[fits] = np.arange(len(fits))
    kept = [conditions[i] for i in fits] + [""] * rest
    below = _below(conditions[0], found.cut) if whole and found.cut else ()
    return Feature(name, relabel(found.codes, lut), tuple(kept), below)


def _below(first: str, cut: tuple[str, ...]) -> tuple[str, ...]:
    """Conditions below each edge, written as the first one is; none where codes are no intervals."""
    start = first.removesuffix(cut[0])
    return tuple(start + edge for edge in cut) if start.endswith(" < ") else ()


def _automatic(series: pd.Series, frame: pd.DataFrame, bins: int, named: bool) -> Dimension:
    """Values of categories and truths, intervals of numbers, periods of times, lengths of prose."""
    if types.is_datetime64_any_dtype(series.dtype) or getattr(series.dtype, "kind", "") == "M":
        return _periods(series, frame)
    held = contents(series)
    if held == "durations":
        raise _LeftOut("durations, which need a number: .dt.total_seconds()")
    if held == "numbers" and not isinstance(series.dtype, pd.CategoricalDtype):
        return _numbers(series, frame, bins, named)
    levels = factorise(series)
    known = int((levels.codes < len(levels.values)).sum())
    texts = [value for value in levels.values if isinstance(value, str)]
    if len(texts) > FEW_VALUES and np.mean([len(text) for text in texts[:1000]]) >= LONG_TEXT:
        return _lengths(series, frame, bins)
    if len(levels.values) == known and known > FEW_VALUES:
        raise _LeftOut("another value in every row")
    return Dimension(levels.codes, texts_of(levels), value_condition(series.name, series, levels))


def _periods(series: pd.Series, frame: pd.DataFrame) -> Dimension:
    days = (series.max() - series.min()).total_seconds() / 86400
    grain = next(grain for least, grain in SPANS if days >= least)
    return Period(series.name, grain).dimension(frame, None)


def _lengths(series: pd.Series, frame: pd.DataFrame, bins: int) -> Dimension:
    """Texts by their number of characters."""
    del frame
    length = series.map(lambda text: float(len(text)), na_action="ignore").astype(float).rename("length")
    found = _numbers(length, length.to_frame(), bins, True)
    name = quoted(series.name)

    def condition(code: int) -> str:
        written = found.condition(code)
        return f"isna({name})" if written == "isna(length)" else written.replace("length", f"len({name})")

    return replace(found, condition=condition)


def _numbers(series: pd.Series, frame: pd.DataFrame, bins: int, named: bool) -> Dimension:
    """Few numbers as they are, others in intervals of about equal size with short edges."""
    values = Numbers.of(series).all()
    sample = np.unique(values[: 50 * FEW_VALUES])
    if len(sample) <= FEW_VALUES and len(distinct(series)) <= FEW_VALUES:
        return Column(series.name).dimension(frame, None)
    whole = series.dtype.kind in "iu"
    if (
        whole
        and not named
        and len(sample) == min(len(values), 50 * FEW_VALUES)
        and len(np.unique(values)) == len(values)
    ):
        raise _LeftOut("another value in every row")
    edges = _edges(values[np.isfinite(values)], bins)
    if not len(edges):
        raise _LeftOut("constant")
    return Bins(series.name, tuple(edges)).dimension(frame, None)


def _edges(values: Array, bins: int) -> list[float]:
    """Inner edges at quantiles; where one value is more than most rows, beside it and at the medians of what is left."""
    if not len(values):
        return []
    least = values.min()
    places = np.unique(np.ceil(np.arange(1, bins) / bins * len(values) - 1e-9).astype(np.intp))
    cuts = np.unique(np.partition(values, places)[places])
    cuts = cuts[cuts > least]
    if len(cuts) < min(2, bins - 1):
        middle = np.partition(values, len(values) // 2)[len(values) // 2]
        below, above = values[values < middle], values[values > middle]
        beside = [middle, np.median(below)] if len(below) else []
        beside += [above.min(), np.median(above)] if len(above) else []
        cuts = np.unique(np.array(beside, float))
        cuts = cuts[cuts > least]
    return _short(cuts.astype(float), float(least))


def _short(cuts: npt.NDArray[np.float64], least: float) -> list[float]:
    """Edges with as few digits as keep them within a hundredth of their distance."""
    gaps = np.diff(np.concatenate([[least], cuts]))
    gap = gaps[gaps > 0].min(initial=np.inf)
    if not np.isfinite(gap):
        return list(cuts.tolist())
    digits = int(2 - np.floor(np.log10(gap)))
    rounded = np.array([round(x, digits) for x in cuts.tolist()])
    distinct = len(np.unique(rounded)) == len(cuts) and bool((rounded > least).all())
    return [float(x) + 0.0 for x in (rounded if distinct else cuts)]


def _leak(found: Feature, column: Hashable, frame: pd.DataFrame, truth: Array | None) -> str:
    """How far a feature tells the label, if it nearly does."""
    if truth is None or len(truth) == 0:
        return ""
    series = frame[column]
    numbers = types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype) and bool(found.below)
    if numbers and (truth.dtype.kind == "f" or len(np.unique(truth)) == 2):
        value = series.to_numpy(dtype=float, na_value=np.nan)
        known = np.isfinite(value)
        tells = abs(_rank_correlation(value[known], truth[known].astype(float)))
        return f"rank agreement {tells:.3f}" if tells >= 0.98 else ""
    if truth.dtype.kind == "f":
        return ""
    tells = _information(found.codes, truth.astype(np.intp))
    return f"{tells:.0%} of its information" if tells >= LEAK else ""


def _rank_correlation(x: Array, y: Array) -> float:
    """Somers' D of x given two classes (2 AUC − 1), or Spearman's correlation; from at most 20,000 rows."""
    from scipy.stats import rankdata

    step = max(len(x) // 20_000, 1)
    x, y = x[::step], y[::step]
    if len(np.unique(y)) == 2:
        positive = y == y.max()
        m, n = positive.sum(), (~positive).sum()
        return float(2 * (rankdata(x)[positive].sum() - m * (m + 1) / 2) / (m * n) - 1)
    a, b = rankdata(x), rankdata(y)
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def _information(codes: Array, truth: npt.NDArray[np.intp]) -> float:
    """Share of the entropy of the label that the codes take away (Theil's U)."""
    truth = truth - truth.min()
    k = int(truth.max()) + 1
    joint = np.bincount(codes.astype(np.intp) * k + truth).astype(float)
    joint = np.pad(joint, (0, -len(joint) % k)).reshape(-1, k)
    total = joint.sum()

    def entropy(table: Array) -> float:
        share = table[table > 0] / total
        return float(-(share * np.log(share)).sum())

    whole = entropy(joint.sum(axis=0))
    left = entropy(joint) - entropy(joint.sum(axis=1))
    return 1 - left / whole if whole > 0 else 0.0
