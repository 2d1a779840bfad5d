"""Columns of numbers and times cut into intervals and calendar periods."""

from __future__ import annotations

import itertools
import keyword
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from dfevals.columns.codes import MISSING, Array, code_dtype, factorise, number_literal, number_text, spans
from dfevals.columns.numbers import as_printed, float_dtype
from dfevals.exceptions import CohortError, check_choice

__all__ = ["GRAINS", "Dimension", "Numbers", "cut", "grain_of", "period_label", "period_start", "quoted", "step"]

GRAINS = ("year", "quarter", "month", "week", "day", "hour", "minute", "weekday", "month_of_year", "hour_of_day")
_ALIASES = {
    **dict.fromkeys(("Y", "YE", "YS", "A"), "year"),
    **dict.fromkeys(("Q", "QE", "QS"), "quarter"),
    **dict.fromkeys(("M", "ME", "MS"), "month"),
    "W": "week",
    **dict.fromkeys(("D", "d"), "day"),
    **dict.fromkeys(("H", "h"), "hour"),
    **dict.fromkeys(("T", "min"), "minute"),
}
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
class Dimension:
    """One cohort column: the code of every row and, per code, its text and the condition that selects its rows.

    `cut` holds the edges, or the values kept, on which the codes depend; None where every value is a code of its own.
    """

    codes: Array
    labels: Array
    condition: Callable[[int], str]
    notes: tuple[str, ...] = ()
    cut: tuple[str, ...] | None = None


def quoted(column: Hashable) -> str:
    """The column's name as an expression writes it: bare if it can be, else in backticks."""
    name = str(column)
    plain = name.isidentifier() and unicodedata.normalize("NFKC", name) == name
    return name if plain and not keyword.iskeyword(name) else "`" + name.replace("`", "``") + "`"


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
            return cls(series.name, array, None, array.dtype, getattr(dtype, "tz", None))
        if not times and not isinstance(dtype, pd.CategoricalDtype) and dtype.kind in "iuf":
            array = series.to_numpy() if isinstance(dtype, np.dtype) else series.array
            return cls(series.name, array, None, np.dtype(np.float64))
        levels = factorise(series)
        is_times = times or _holds_times(dtype, levels.values)
        try:
            lut = _as_times(levels.values) if is_times else _as_numbers(levels.values)
        except (TypeError, ValueError) as error:
            wanted, hint = ("times", "pd.to_datetime") if times else ("numbers or times", "pd.to_numeric")
            found = next((v for v in levels.values if isinstance(v, str)), levels.values[0])
            hint = ".dt.total_seconds()" if isinstance(found, timedelta) else hint
            raise CohortError(
                f"Column {series.name!r} ({dtype}) does not hold {wanted} but, for example, {found!r:.60}. "
                f"Convert it by {hint} first."
            ) from error
        zone = next((getattr(value, "tzinfo", None) for value in levels.values), None) if is_times else None
        return cls(series.name, levels.codes, lut, lut.dtype, zone, False if times else not is_times)

    def block(self, a: int, b: int) -> Array:
        """Plain values of the rows from `a` to `b`."""
        part = self.array[a:b]
        if self.lut is not None:
            return np.asarray(self.lut.take(part))
        if isinstance(part, np.ndarray):
            return as_printed(part) if part.dtype.kind == "f" else part
        return as_printed(part.to_numpy(dtype=float_dtype(part.dtype), na_value=np.nan))

    def all(self) -> Array:
        """A copy of all values that are not missing."""
        n = 0
        out: Array | None = None
        for a, b in spans(len(self.array)):
            values = self.block(a, b)
            kept = values[~np.isnan(values)] if values.dtype.kind == "f" else values
            kept = kept[~np.isnat(kept)] if kept.dtype.kind == "M" else kept
            out = np.empty(len(self.array), dtype=kept.dtype) if out is None else out
            out[n : n + len(kept)] = kept
            n += len(kept)
        return np.empty(0, dtype=self.edge_dtype) if out is None else out[:n]

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
                times = [pd.Timestamp(e) for e in edges]
                times = [t.tz_convert(self.timezone).tz_localize(None) if t.tzinfo else t for t in times]
            except (TypeError, ValueError) as error:
                raise CohortError(f"Edges of {self.column!r} must be times: {error}") from error
            return np.array(times, dtype="datetime64[ns]").astype(self.edge_dtype)
        try:
            found = np.array([float(e) for e in edges], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise CohortError(f"Edges of {self.column!r} must be numbers: {error}") from error
        return found[np.isfinite(found)].astype(self.edge_dtype)


def _holds_times(dtype: Any, values: tuple[Any, ...]) -> bool:
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype.kind == "M":
        return True
    return bool(values) and all(hasattr(v, "isoformat") for v in values)


def _as_times(values: tuple[Any, ...]) -> Array:
    """Times of the values, as the clocks of their zone show them, and, last, of a missing one."""
    if any(isinstance(v, (bool, int, float)) for v in values):
        raise TypeError("numbers are not times")
    times = pd.to_datetime(pd.Series([*values, None], dtype=object), format="ISO8601")
    return times.dt.tz_localize(None).to_numpy("datetime64[ns]")


def _as_numbers(values: tuple[Any, ...]) -> Array:
    """Numbers of the values and, last, of a missing one."""
    if any(isinstance(v, (bool, str)) for v in values):
        raise TypeError("text or truth values are not numbers")
    return np.array([*map(float, values), np.nan])


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
        exact = [repr(str(pd.Timestamp(e))) for e in edges]
        shown = [str(pd.Timestamp(e)).removesuffix(" 00:00:00") for e in edges]
        written = [repr(str(pd.Timestamp(e))) if numbers.is_native else "" for e in edges]
    else:
        plain = [float(str(e)) for e in edges]
        shown, written = _edge_texts(plain), [number_literal(e) for e in plain]
        exact = written
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

    return Dimension(codes, out, condition, cut=tuple(exact))


def _edge_texts(edges: list[float]) -> list[str]:
    """Edges to six digits; in full where they are whole, short already, or would print alike."""
    short = [number_text(e) if e.is_integer() or len(number_text(e)) <= 8 else f"{e:.6g}" for e in edges]
    return short if len(set(short)) == len(edges) else [number_text(e) for e in edges]


def _interval_labels(shown: list[str]) -> list[str]:
    if not shown:
        return ["(any)"]
    inner = [f"[{a}, {b})" for a, b in itertools.pairwise(shown)]
    return [f"< {shown[0]}", *inner, f"≥ {shown[-1]}"]


def step(times: Array, grain: str) -> Array:
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


def period_start(step: int, grain: str) -> str:
    """First moment of a period, as an expression writes it."""
    if grain == "quarter":
        return str(np.datetime64(step * 3, "M").astype("datetime64[D]"))
    if grain == "week":
        return str(np.datetime64(step * 7 - 3, "D"))
    unit = {"year": "Y", "month": "M", "hour": "h", "minute": "m"}.get(grain, "D")
    fine = np.datetime64(step, unit).astype(f"datetime64[{'m' if unit in 'hm' else 'D'}]")  # type: ignore[call-overload]
    return str(fine).replace("T", " ")


def period_label(step: int, grain: str) -> str:
    """Text of a period: "2024-03" for a month, "Monday" for a weekday, "07:00" for an hour of the day."""
    if grain == "weekday":
        return WEEKDAYS[step]
    if grain == "month_of_year":
        return MONTHS[step]
    if grain == "hour_of_day":
        return f"{step:02d}:00"
    start = period_start(step, grain)
    if grain == "year":
        return start[:4]
    if grain == "quarter":
        return f"{start[:4]}-Q{step % 4 + 1}"
    if grain == "week":
        year, week, _ = pd.Timestamp(start).isocalendar()
        return f"{year}-W{week:02d}"
    return start[:7] if grain == "month" else start


def grain_of(grain: str) -> str:
    """A period's name, also from pandas' short one.

    Raises
    ------
    CohortError
        No such period.

    Examples
    --------
    >>> grain_of("W")
    'week'
    """
    meant = _ALIASES.get(grain, grain) if isinstance(grain, str) else grain
    check_choice("grain", meant, GRAINS, CohortError)
    return meant
