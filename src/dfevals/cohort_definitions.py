"""What a cohort column can be made of: a column as it is, bins, quantiles, periods of time, the most frequent values."""

from __future__ import annotations

import itertools
import keyword
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .cohort_codes import MISSING, Array, Levels, code_dtype, counts, factorise, number_text, relabel, spans, texts
from .exceptions import CohortError, check_choice, did_you_mean

__all__ = ["MAX_COHORTS", "Bins", "Column", "Definition", "Dimension", "Each", "Period", "Quantiles", "Top"]

MAX_COHORTS = 100_000


@dataclass(frozen=True)
class Dimension:
    """One cohort column: the code of every row and, per code, its text and the condition that selects its rows."""

    codes: Array
    labels: Array
    condition: Callable[[int], str]
    notes: tuple[str, ...] = ()


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
        low, high = numbers.range()
        if not low < high:
            edges = []
        else:
            edges = list(low + (high - low) * np.arange(1, self.edges) / self.edges)
        return cut(numbers, np.asarray(edges, dtype=numbers.edge_dtype), self.labels)


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
        shares = np.arange(1, self.q) / self.q if isinstance(self.q, int) else np.asarray(self.q)
        values = numbers.all()
        values.sort()
        places = np.ceil(shares[(shares > 0) & (shares < 1)] * len(values) - 1e-9).astype(np.intp)
        cuts = values[places] if len(values) else values
        edges = np.unique(cuts[cuts > values[0]]) if len(values) else cuts
        found = cut(numbers, edges)
        asked = len(places) + 1
        if len(values) and len(edges) + 1 < asked:
            note = f"{self!r}: ties leave {len(edges) + 1} groups of the {asked} asked for"
            return Dimension(found.codes, found.labels, found.condition, (note,))
        return found


GRAINS = ("year", "quarter", "month", "week", "day", "hour", "minute", "weekday", "month_of_year", "hour_of_day")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


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
            steps[a:b] = _step(numbers.block(a, b), self.grain)
        lowest = np.iinfo(np.int32).min
        levels = factorise(pd.Series(steps), None)
        has_missing = bool(levels.values) and levels.values[0] == lowest
        codes, values = levels.codes, levels.values
        if has_missing:  # missing sorts first here and last in cohorts
            codes = relabel(codes, np.roll(np.arange(len(values), dtype=codes.dtype), 1))
            values = values[1:]
        labels = np.empty(len(values) + has_missing, dtype=object)
        labels[:] = [_period_label(v, self.grain) for v in values] + [MISSING] * has_missing
        cyclic = self.grain in ("weekday", "month_of_year", "hour_of_day")
        exact = not cyclic and not (numbers.timezone and self.grain in ("hour", "minute")) and numbers.is_native

        def condition(code: int) -> str:
            name = quoted(self.column)
            if code == len(values):
                return f"isna({name})"
            first, after = _period_start(values[code], self.grain), _period_start(values[code] + 1, self.grain)
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
        frequency = counts(levels.codes, levels.size)[:n_values]
        kept = np.sort(np.argsort(-frequency, kind="stable")[: self.k])
        size = self.k + 1 + levels.has_missing
        lut = np.full(n_values + 1, self.k, dtype=code_dtype(size))
        lut[kept] = np.arange(self.k)
        lut[-1] = self.k + 1
        short = Levels(levels.codes[:0], tuple(levels.values[i] for i in kept), levels.has_missing)
        names = texts(short)
        if self.other in names:
            raise CohortError(f"{self!r}: {self.other!r} is also a value of the column; give another other=.")
        labels = np.insert(names, self.k, self.other)
        one = value_condition(self.column, series, short)
        literals = [literal(v, series) for v in short.values]

        def condition(code: int) -> str:
            name = quoted(self.column)
            if code == self.k:
                listed = ", ".join(literals)
                return f"{name} not in [{listed}] and not isna({name})" if all(literals) else ""
            return one(min(code, self.k))

        return Dimension(relabel(levels.codes, lut), labels, condition)


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
        raise CohortError(
            f"Column {column!r} is not in the frame. {did_you_mean(column, frame.columns, noun='Columns')}"
        )
    series = frame[column]
    if isinstance(series, pd.DataFrame):
        raise CohortError(
            f"The frame has {series.shape[1]} columns named {column!r}; rename them so that one is meant."
        )
    return series


def quoted(column: Hashable) -> str:
    """The column's name as an expression writes it: bare if it can be, else in backticks."""
    name = str(column)
    plain = name.isidentifier() and unicodedata.normalize("NFKC", name) == name
    return name if plain and not keyword.iskeyword(name) else "`" + name.replace("`", "``") + "`"


def literal(value: Any, series: pd.Series) -> str:
    """The value as an expression writes it; empty where the grammar has no literal that equals it."""
    dtype = series.cat.categories.dtype if isinstance(series.dtype, pd.CategoricalDtype) else series.dtype
    if isinstance(value, (str, bool, int)):
        return repr(value)
    if isinstance(value, float):
        return {"inf": "1e999", "-inf": "-1e999"}.get(repr(value), number_text(value))
    if isinstance(value, (pd.Timestamp, pd.Timedelta)) and dtype.kind in "mM":
        return repr(str(value))
    return ""


def value_condition(column: Hashable, series: pd.Series, levels: Levels) -> Callable[[int], str]:
    """Conditions ``column == value`` of each code."""
    truths = any(isinstance(v, bool) for v in levels.values)
    mixed = truths and any(not isinstance(v, (bool, str)) and v in (0, 1) for v in levels.values)

    def condition(code: int) -> str:
        if code == len(levels.values):
            return f"isna({quoted(column)})"
        value = levels.values[code]
        if mixed and not isinstance(value, str) and value in (0, 1):
            return ""  # True == 1, so no comparison tells them apart
        written = literal(value, series)
        return written and f"{quoted(column)} == {written}"

    return condition


@dataclass(frozen=True)
class Numbers:
    """A column of numbers or times, read block by block as plain numbers with NaN (or NaT) where missing."""

    column: Hashable
    array: Any
    lut: Array | None
    edge_dtype: np.dtype[Any]
    timezone: Any = None
    is_native: bool = True

    @classmethod
    def of(cls, series: pd.Series, *, times: bool = False) -> Numbers:
        """Look at the dtype; text or mixed columns are read as numbers (or times) by their distinct values."""
        dtype = series.dtype
        if not isinstance(dtype, pd.CategoricalDtype) and dtype.kind == "M":
            plain = series.dt.tz_localize(None) if getattr(dtype, "tz", None) is not None else series
            array = plain.to_numpy()
            if array.dtype.kind != "M":
                array = plain.astype("datetime64[ns]").to_numpy()
            return cls(series.name, array, None, array.dtype, getattr(dtype, "tz", None))
        if not times and not isinstance(dtype, pd.CategoricalDtype) and dtype.kind in "iuf":
            edge_dtype = dtype if isinstance(dtype, np.dtype) and dtype.kind == "f" else np.dtype(np.float64)
            return cls(
                series.name, series.to_numpy() if isinstance(dtype, np.dtype) else series.array, None, edge_dtype
            )
        levels = factorise(series)
        wanted = "times" if times else "numbers or times"
        values = list(levels.values)
        try:
            if times or (all(isinstance(v, pd.Timestamp) or hasattr(v, "isoformat") for v in values) and values):
                if any(isinstance(v, (bool, int, float)) for v in values):
                    raise TypeError("numbers are not times")
                lut = pd.to_datetime(pd.Series(values + [None], dtype=object), format="ISO8601").to_numpy(
                    "datetime64[ns]"
                )
            elif any(isinstance(v, (str, bool)) for v in values):
                raise TypeError("text or truth values are not numbers")
            else:
                lut = np.array([float(v) for v in values] + [np.nan])
        except (TypeError, ValueError) as error:
            hint = "pd.to_datetime" if times else "pd.to_numeric"
            raise CohortError(
                f"Column {series.name!r} ({dtype}) does not hold {wanted}: {str(error)[:120]}. Convert it by {hint} first."
            ) from error
        return cls(series.name, levels.codes, lut, lut.dtype, None, False if times else lut.dtype.kind == "f")

    def block(self, a: int, b: int) -> Array:
        """Plain values of the rows from `a` to `b`."""
        part = self.array[a:b]
        if self.lut is not None:
            return np.asarray(self.lut.take(part))
        if isinstance(part, np.ndarray):
            return part
        return np.asarray(part.to_numpy(dtype=np.float64, na_value=np.nan))

    def all(self) -> Array:
        """A copy of all values that are not missing."""
        values = [self.block(a, b) for a, b in spans(len(self.array))]
        kept = [v[~np.isnat(v)] if v.dtype.kind == "M" else v[~np.isnan(v)] for v in values]
        return np.concatenate(kept) if kept else np.empty(0, dtype=self.edge_dtype)

    def range(self) -> tuple[Any, Any]:
        """Least and greatest finite value; NaN, NaN without any."""
        lows, highs = [], []
        for a, b in spans(len(self.array)):
            v = self.block(a, b)
            v = v[np.isfinite(v)]
            if v.size:
                lows.append(v.min())
                highs.append(v.max())
        return (min(lows), max(highs)) if lows else (np.nan, np.nan)

    def edges(self, edges: Sequence[Any]) -> Array:
        """Edges as the column's own kind of value, infinite ones left out."""
        if self.edge_dtype.kind == "M":
            try:
                times = [pd.Timestamp(e).tz_localize(None) for e in edges]
            except (TypeError, ValueError) as error:
                raise CohortError(f"Edges of {self.column!r} must be times: {error}") from error
            return np.array(times, dtype="datetime64[ns]").astype(self.edge_dtype)
        try:
            found = np.array([float(e) for e in edges], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise CohortError(f"Edges of {self.column!r} must be numbers: {error}") from error
        return found[np.isfinite(found)].astype(self.edge_dtype)


def cut(numbers: Numbers, edges: Array, labels: Sequence[str] | None = None) -> Dimension:
    """Dimension of closed-left intervals between edges."""
    n = len(edges) + 1
    if labels is not None and len(labels) != n:
        raise CohortError(
            f"{len(edges)} edges make {n} bins of {numbers.column!r}, but {len(labels)} labels are given."
        )
    codes = np.empty(len(numbers.array), dtype=code_dtype(n + 1))
    has_missing = False
    for a, b in spans(len(codes)):
        values = numbers.block(a, b)
        codes[a:b] = np.searchsorted(edges, values, side="right")
        if values.dtype.kind in "fM":
            gone = np.isnan(values) if values.dtype.kind == "f" else np.isnat(values)
            if gone.any():
                codes[a:b][gone] = n
                has_missing = True
    name = quoted(numbers.column)
    if edges.dtype.kind == "M":
        shown = [str(pd.Timestamp(e)).removesuffix(" 00:00:00") for e in edges]
        written = [repr(str(pd.Timestamp(e))) if numbers.is_native else "" for e in edges]
    else:
        plain = [float(str(e)) for e in edges]
        shown, written = _edge_texts(plain), [number_text(e) for e in plain]
    names = list(labels) if labels is not None else _interval_labels(shown)
    out = np.empty(n + has_missing, dtype=object)
    out[:] = names + [MISSING] * has_missing

    def condition(code: int) -> str:
        if code == n:
            return f"isna({name})"
        if not all(written):
            return ""
        low = f"{name} >= {written[code - 1]}" if code else ""
        high = f"{name} < {written[code]}" if code < n - 1 else ""
        return " and ".join(filter(None, (low, high))) or f"not isna({name})"

    return Dimension(codes, out, condition)


def _edge_texts(edges: list[float]) -> list[str]:
    """Edges to six digits; in full where they are whole, short already, or would print alike."""
    short = [number_text(e) if e.is_integer() or len(number_text(e)) <= 8 else f"{e:.6g}" for e in edges]
    return short if len(set(short)) == len(edges) else [number_text(e) for e in edges]


def _interval_labels(shown: list[str]) -> list[str]:
    if not shown:
        return ["(any)"]
    inner = [f"[{a}, {b})" for a, b in itertools.pairwise(shown)]
    return [f"< {shown[0]}", *inner, f"≥ {shown[-1]}"]


def _step(times: Array, grain: str) -> Array:
    """Number of the period each time falls in; the least int32 where the time is missing."""
    unit = {
        "year": "Y",
        "quarter": "M",
        "month": "M",
        "month_of_year": "M",
        "hour": "h",
        "hour_of_day": "h",
        "minute": "m",
    }
    steps = times.astype(f"datetime64[{unit.get(grain, 'D')}]").astype(np.int64)
    if grain == "quarter":
        steps = steps // 3
    elif grain == "week":
        steps = (steps + 3) // 7
    elif grain == "weekday":
        steps = (steps + 3) % 7
    elif grain == "month_of_year":
        steps = steps % 12
    elif grain == "hour_of_day":
        steps = steps % 24
    return np.where(np.isnat(times), np.iinfo(np.int32).min, steps)


def _period_start(step: int, grain: str) -> str:
    """First moment of a period, as an expression writes it."""
    if grain == "quarter":
        return str(np.datetime64(step * 3, "M").astype("datetime64[D]"))
    if grain == "week":
        return str(np.datetime64(step * 7 - 3, "D"))
    unit = {"year": "Y", "month": "M", "hour": "h", "minute": "m"}.get(grain, "D")
    fine = np.datetime64(step, unit).astype(f"datetime64[{'m' if unit in 'hm' else 'D'}]")  # type: ignore[call-overload]
    return str(fine).replace("T", " ")


def _period_label(step: int, grain: str) -> str:
    if grain == "weekday":
        return WEEKDAYS[step]
    if grain == "month_of_year":
        return MONTHS[step]
    if grain == "hour_of_day":
        return f"{step:02d}:00"
    start = _period_start(step, grain)
    if grain == "year":
        return start[:4]
    if grain == "quarter":
        return f"{start[:4]}-Q{step % 4 + 1}"
    if grain == "week":
        year, week, _ = pd.Timestamp(start).isocalendar()
        return f"{year}-W{week:02d}"
    return start[:7] if grain == "month" else start


def check_grain(grain: str) -> None:
    """Raise unless `grain` is known."""
    check_choice("grain", grain, GRAINS, CohortError)
