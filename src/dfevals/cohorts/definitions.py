"""What a cohort column can be made of: a column as it is, bins, quantiles, periods of time, the most frequent values."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dfevals.cohorts.intervals import Dimension, Numbers, cut, period_label, period_start, quoted, step
from dfevals.columns.codes import (
    MISSING,
    Array,
    Levels,
    code_dtype,
    counts,
    factorise,
    native_times,
    number_literal,
    relabel,
    spans,
    texts,
)
from dfevals.exceptions import CohortError, did_you_mean

__all__ = ["MAX_COHORTS", "Bins", "Column", "Definition", "Dimension", "Each", "Period", "Quantiles", "Top"]

MAX_COHORTS = 100_000


@dataclass(frozen=True)
class Column:
    """The values of a column as they are."""

    column: Hashable

    @property
    def kind(self) -> str:
        """Word that tells this definition from another one of the same column."""
        return "values"

    def __repr__(self) -> str:
        return repr(self.column)

    def dimension(self, frame: pd.DataFrame, limit: int | None) -> Dimension:
        """Codes, labels and conditions of `frame`'s rows; more than `limit` values are an error."""
        series = column_of(frame, self.column)
        try:
            levels = factorise(series, limit)
        except OverflowError as error:
            advice = "bins() or quantiles()" if series.dtype.kind == "f" else "top() or bins()"
            raise CohortError(
                f"Column {self.column!r} has more than {limit:,} different values, too many for cohorts. "
                f"Group them by {advice}, or fold rare ones by min_n=."
            ) from error
        notes: tuple[str, ...] = ()
        if levels.codes.size and series.dtype.kind == "f" and len(levels.values) > 1000:
            notes = (f"{self.column!r} has {len(levels.values):,} different numbers: bins() or quantiles() group them",)
        return Dimension(levels.codes, texts(levels), value_condition(self.column, series, levels), notes)


@dataclass(frozen=True)
class Bins:
    """Intervals ``[edge, next edge)`` of a column of numbers or times. Made by `dfevals.bins`."""

    column: Hashable
    edges: tuple[Any, ...] | int
    labels: tuple[str, ...] | None = None

    kind = "bins"

    def __repr__(self) -> str:
        edges = self.edges if isinstance(self.edges, int) else list(self.edges)
        labels = "" if self.labels is None else f", labels={list(self.labels)!r}"
        return f"bins({self.column!r}, {edges!r}{labels})"

    def dimension(self, frame: pd.DataFrame, limit: int | None) -> Dimension:
        """Codes, labels and conditions of `frame`'s rows; bins without rows are kept."""
        numbers = Numbers.of(column_of(frame, self.column))
        if not isinstance(self.edges, int):
            return cut(numbers, numbers.edges(self.edges), self.labels)
        return cut(numbers, self.cuts(*numbers.range(), numbers.edge_dtype), self.labels)

    def cuts(self, low: Any, high: Any, kind: np.dtype[Any]) -> Array:
        """Inner edges of a number of bins between the least and the greatest value."""
        if not low < high:
            return np.asarray([], dtype=kind)
        assert isinstance(self.edges, int)
        return np.asarray(list(low + (high - low) * np.arange(1, self.edges) / self.edges), dtype=kind)


@dataclass(frozen=True)
class Quantiles:
    """Groups of about equal size of a column of numbers or times. Made by `dfevals.quantiles`."""

    column: Hashable
    q: int | tuple[float, ...] = 4

    kind = "quantiles"

    def __repr__(self) -> str:
        return f"quantiles({self.column!r}, {self.q if isinstance(self.q, int) else list(self.q)!r})"

    def dimension(self, frame: pd.DataFrame, limit: int | None) -> Dimension:
        """Codes, labels and conditions of `frame`'s rows; cuts that ties make equal are merged, with a note."""
        numbers = Numbers.of(column_of(frame, self.column))
        edges, note = self.cuts(numbers.all())
        found = cut(numbers, edges)
        return replace(found, notes=(note,)) if note else found

    def cuts(self, values: Array) -> tuple[Array, str]:
        """Edges between the groups of these values (which are put in another order), and what to say of ties."""
        shares = np.arange(1, self.q) / self.q if isinstance(self.q, int) else np.asarray(self.q)
        shares = shares[(shares > 0) & (shares < 1)]
        places = np.ceil(shares * len(values) - 1e-9).astype(np.intp)
        places = places[places < len(values)]  # a cut above all values would leave nothing behind it
        if len(values):
            lowest = values.min()
            values.partition(np.unique(places))
            cuts = values[places]
            edges = np.unique(cuts[cuts > lowest])
        else:
            edges = values
        asked = len(shares) + 1
        tied = len(values) and len(edges) + 1 < asked
        return edges, f"{self!r}: ties leave {len(edges) + 1} groups of the {asked} asked for" if tied else ""


@dataclass(frozen=True)
class Period:
    """Calendar periods of a time column. Made by `dfevals.period`."""

    column: Hashable
    grain: str

    kind = "period"

    def __repr__(self) -> str:
        return f"period({self.column!r}, {self.grain!r})"

    def dimension(self, frame: pd.DataFrame, limit: int | None) -> Dimension:
        """Codes, labels and conditions of `frame`'s rows; periods without rows are left out."""
        numbers = Numbers.of(column_of(frame, self.column), times=True)
        steps = np.empty(len(numbers.array), dtype=np.int32)
        for a, b in spans(len(steps)):
            steps[a:b] = step(numbers.block(a, b), self.grain)
        lowest = np.iinfo(np.int32).min
        levels = factorise(pd.Series(steps), None)
        has_missing = bool(levels.values) and levels.values[0] == lowest
        codes, values = levels.codes, levels.values
        if has_missing:  # missing sorts first here and last in cohorts
            codes = relabel(codes, np.roll(np.arange(len(values), dtype=codes.dtype), 1))
            values = values[1:]
        labels = np.empty(len(values) + has_missing, dtype=object)
        labels[:] = [period_label(v, self.grain) for v in values] + [MISSING] * has_missing
        cyclic = self.grain in ("weekday", "month_of_year", "hour_of_day")
        exact = not cyclic and not (numbers.timezone and self.grain in ("hour", "minute")) and numbers.is_native

        def condition(code: int) -> str:
            name = quoted(self.column)
            if code == len(values):
                return f"isna({name})"
            first, after = period_start(values[code], self.grain), period_start(values[code] + 1, self.grain)
            return f"{name} >= {first!r} and {name} < {after!r}" if exact else ""

        return Dimension(codes, labels, condition)


@dataclass(frozen=True)
class Top:
    """The most frequent values of a column, and one cohort of all others. Made by `dfevals.top`."""

    column: Hashable
    k: int
    other: str = "(other)"

    kind = "top"

    def __repr__(self) -> str:
        other = "" if self.other == "(other)" else f", other={self.other!r}"
        return f"top({self.column!r}, {self.k}{other})"

    def dimension(self, frame: pd.DataFrame, limit: int | None) -> Dimension:
        """Codes, labels and conditions of `frame`'s rows; of equally frequent values the first in order are kept."""
        series = column_of(frame, self.column)
        levels = factorise(series)
        n_values = len(levels.values)
        if n_values <= self.k:
            return Dimension(levels.codes, texts(levels), value_condition(self.column, series, levels))
        return self.kept(series, levels, self.most(counts(levels.codes, levels.size)[:n_values]))

    def most(self, frequency: Array) -> Array:
        """Places of the most frequent values, rising; of equally frequent ones the first."""
        return np.sort(np.argsort(-frequency, kind="stable")[: self.k])

    def kept(self, series: pd.Series, levels: Levels, kept: Array) -> Dimension:
        """Codes, labels and conditions when the values at these places are kept."""
        n_values = len(levels.values)
        size = self.k + 1 + levels.has_missing
        lut = np.full(n_values + 1, self.k, dtype=code_dtype(size))
        lut[kept] = np.arange(self.k)
        lut[-1] = self.k + 1
        short = Levels(levels.codes[:0], tuple(levels.values[i] for i in kept), levels.has_missing)
        names = texts(short)
        if self.other in names:
            raise CohortError(f"{self!r}: {self.other!r} is also a value of the column; give another other=.")
        labels = np.insert(names, self.k, self.other)
        one = value_condition(self.column, series, short, levels.values)
        unclear = _unclear(levels.values)
        literals = ["" if unclear(v) else literal(v, series) for v in short.values]

        def condition(code: int) -> str:
            name = quoted(self.column)
            if code == self.k:
                listed = ", ".join(literals)
                return f"{name} not in [{listed}] and not isna({name})" if all(literals) else ""
            return one(min(code, self.k))

        return Dimension(relabel(levels.codes, lut), labels, condition, cut=tuple(map(repr, short.values)))


Definition = Column | Bins | Quantiles | Period | Top


@dataclass(frozen=True)
class Each:
    """Separate cohorts for each argument. Made by `dfevals.each`."""

    groups: tuple[tuple[Definition, ...], ...]

    def __repr__(self) -> str:
        return f"each({', '.join(repr(g[0]) if len(g) == 1 else repr(list(g)) for g in self.groups)})"


def column_of(frame: pd.DataFrame, column: Hashable) -> pd.Series:
    """The column, or a CohortError that names the nearest one."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise CohortError(
            "The frame's columns are a MultiIndex; cohorts need plain names: "
            "df.columns = ['_'.join(map(str, c)) for c in df.columns]."
        )
    try:
        found = column in frame.columns
    except TypeError as error:
        raise CohortError(f"by= got {column!r}, which is not a column name or a cohort definition.") from error
    if not found:
        is_expression = isinstance(column, str) and any(sign in column for sign in "<>=(")
        hint = f" If it is an expression, name it: by={{'name': {column!r}}}." if is_expression else ""
        options = did_you_mean(column, frame.columns, noun="Columns")
        raise CohortError(f"Column {column!r} is not in the frame.{hint} {options}")
    series = frame[column]
    if isinstance(series, pd.DataFrame):
        raise CohortError(
            f"The frame has {series.shape[1]} columns named {column!r}; rename them so that one is meant."
        )
    return native_times(series)


def literal(value: Any, series: pd.Series) -> str:
    """The value as an expression writes it; empty where the grammar has no literal that equals it."""
    dtype = series.cat.categories.dtype if isinstance(series.dtype, pd.CategoricalDtype) else series.dtype
    if isinstance(value, (str, bool, int)):
        return repr(value)
    if isinstance(value, float):
        return number_literal(value)
    if isinstance(value, (pd.Timestamp, pd.Timedelta)) and dtype.kind in "mM":
        return repr(str(value))
    return ""


def value_condition(
    column: Hashable, series: pd.Series, levels: Levels, among: Sequence[Any] | None = None
) -> Callable[[int], str]:
    """Conditions ``column == value`` of each code; `among` are all values of the column where `levels` are some."""
    unclear = _unclear(levels.values if among is None else among)

    def condition(code: int) -> str:
        if code == len(levels.values):
            return f"isna({quoted(column)})"
        value = levels.values[code]
        written = "" if unclear(value) else literal(value, series)
        return written and f"{quoted(column)} == {written}"

    return condition


def _unclear(values: Sequence[Any]) -> Callable[[Any], bool]:
    """Tells values that no comparison tells apart: True from 1 and False from 0, where a column holds both kinds."""
    truths = any(isinstance(v, bool) for v in values)
    mixed = truths and any(not isinstance(v, (bool, str)) and v in (0, 1) for v in values)
    return lambda value: mixed and not isinstance(value, str) and value in (0, 1)
