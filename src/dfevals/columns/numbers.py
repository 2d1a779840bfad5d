"""Columns as numbers: read a block at a time, with what is not a number said by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.exceptions import DataError

__all__ = [
    "BLOCK",
    "VERDICTS",
    "Numbers",
    "as_printed",
    "contents",
    "distinct",
    "float_dtype",
    "infinite_beyond_all_numbers",
    "outcome_values",
    "plain_number",
    "verdict_word",
]

T = TypeVar("T", bound=type)
Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
BLOCK = 1 << 18  # rows read at a time
POWERS = np.array([float(10**i) for i in range(23)])  # those that are exact in float64
SCALARS = (int, float, Decimal, np.number, np.bool_, type(None), type(pd.NA))
VERDICTS = {"pass": 1.0, "passed": 1.0, "true": 1.0, "yes": 1.0, "fail": 0.0, "failed": 0.0, "false": 0.0, "no": 0.0}


def infinite_beyond_all_numbers(cls: T) -> T:
    """Class decorator: in its methods a square or an exponential beyond the greatest float is infinite, without a warning."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("__"):
            setattr(cls, name, np.errstate(over="ignore")(method))
    return cls


def as_printed(values: Array) -> Floats:
    """Numbers as float64: a float of fewer bits becomes the number that it is printed as (float32 0.7 is 0.7).

    The one rule for scores, thresholds, bins and conditions, whatever the dtype of a column: the shortest decimal
    that the narrow float stands for.

    Examples
    --------
    >>> as_printed(np.array([0.7, 1.0, np.inf], np.float32)).tolist()
    [0.7, 1.0, inf]
    """
    wide = values.astype(np.float64, copy=False)
    if values.dtype.kind != "f" or values.dtype.itemsize >= 8:
        return wide
    if values.dtype.itemsize < 4:
        found, places = np.unique(values, return_inverse=True)
        return _by_text(found).take(places)
    size = np.abs(wide)
    todo = np.flatnonzero((size > 1e-13) & (size < 1e22))  # where powers of ten are exact
    places = 5 - np.floor(np.log10(size[todo])).astype(np.int64)
    rest = np.flatnonzero((size > 0) & (size <= 1e-13) | (size >= 1e22) & (size < np.inf))
    for _ in range(6, 10):  # significant digits: six are always right, nine always enough
        found = _rounded(wide[todo], places)
        same = found.astype(np.float32) == values[todo]
        wide[todo[same]] = found[same]
        todo, places = todo[~same], places[~same] + 1
    rest = np.concatenate([rest, todo])
    wide[rest] = _by_text(values[rest])
    return wide


def _by_text(values: Array) -> Floats:
    return np.array([float(str(value)) for value in values], np.float64)


def _rounded(x: Floats, places: Array) -> Floats:
    """Numbers with so many decimals, each the double that is nearest to its decimal."""
    power = POWERS.take(np.abs(places))
    return np.where(places >= 0, np.rint(x * power) / power, np.rint(x / power) * power)


def plain_number(value: Any) -> Any:
    """A scalar of numpy as Python's, narrow floats and decimals as the floats that they are printed as."""
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        return float(str(value))
    if isinstance(value, Decimal):
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """The numpy type of a column's floats, also of nullable and Arrow ones; float64 for other columns."""
    found = getattr(dtype, "numpy_dtype", dtype)
    return found if isinstance(found, np.dtype) and found.kind == "f" else np.dtype(np.float64)


class Numbers:
    """A column as float64, converted a block at a time (floats of 64 bits are not copied, narrow ones widened once)."""

    def __init__(self, series: pd.Series, role: str) -> None:
        self._series = series
        self._plain: Array | None = None
        self.eps = float(np.finfo(float_dtype(series.dtype)).eps)
        if types.is_complex_dtype(series.dtype):
            raise DataError(
                f"{role} column {series.name!r} holds complex numbers; real numbers are needed. "
                f"Take a part of them first: np.real(df[{series.name!r}])."
            )
        if float_dtype(series.dtype).itemsize < 8:
            self._plain = _widened(series)
        elif isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub":
            self._plain = series.to_numpy()
        elif isinstance(series.dtype, pd.CategoricalDtype):
            self._plain = of_levels(series, lambda levels: Numbers(levels, role).all())
        elif types.is_object_dtype(series.dtype):
            self._plain = _of_objects(series, role)
        elif not types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype):
            way = ".dt.total_seconds()" if contents(series) == "durations" else ".astype(float)"
            raise DataError(
                f"{role} column {series.name!r} has dtype {series.dtype}; numbers are needed. "
                f"Convert it first: df[{series.name!r}]{way}."
            )

    def block(self, start: int, stop: int) -> Floats:
        """Rows start..stop as float64; NaN where missing."""
        if self._plain is not None:
            return self._plain[start:stop].astype(np.float64, copy=False)
        return self._series.iloc[start:stop].to_numpy(dtype=np.float64, na_value=np.nan)

    def all(self) -> Floats:
        """The whole column."""
        return self.block(0, len(self._series))


def _widened(series: pd.Series) -> Floats:
    """A column of narrow floats as printed, a block at a time."""
    narrow, out = float_dtype(series.dtype), np.empty(len(series))
    for start in range(0, len(series), BLOCK):
        part = series.iloc[start : start + BLOCK]
        out[start : start + BLOCK] = as_printed(part.to_numpy(dtype=narrow, na_value=np.nan))
    return out


def of_levels(series: pd.Series, convert: Callable[[pd.Series], Floats]) -> Floats:
    """Numbers of a categorical column by those of its categories in use."""
    codes = series.cat.codes.to_numpy()
    used = np.unique(codes[codes >= 0])
    numbers = np.full(len(series.cat.categories) + 1, np.nan)
    numbers[used] = convert(series.cat.categories[used].to_series(name=series.name))
    return np.asarray(numbers.take(codes))


def _of_objects(series: pd.Series, role: str) -> Floats:
    """Numbers of an object column, if all of its values are numbers."""
    values = series.to_numpy(dtype=object)
    bad = [kind for kind in set(map(type, values)) if not issubclass(kind, SCALARS)]
    if bad:
        raise DataError(
            f"{role} column {series.name!r} holds {bad[0].__name__} values; numbers are needed. "
            f"Convert it first: pd.to_numeric(df[{series.name!r}])."
        )
    return np.array([np.nan if value is None or value is pd.NA else float(plain_number(value)) for value in values])


def contents(series: pd.Series) -> Literal["numbers", "truths", "durations", "texts"]:
    """What the values of a column are, whatever its dtype; anything else counts as texts."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return contents(series.cat.remove_unused_categories().cat.categories.to_series())
    if types.is_timedelta64_dtype(dtype) or str(dtype).startswith("duration"):
        return "durations"
    if types.is_object_dtype(dtype):
        return _contents_of_objects({type(value) for value in series.dropna().to_numpy()})
    if types.is_bool_dtype(dtype):
        return "truths"
    return "numbers" if types.is_numeric_dtype(dtype) else "texts"


def _contents_of_objects(kinds: set[type]) -> Literal["numbers", "truths", "durations", "texts"]:
    if not kinds:
        return "texts"
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return "truths"
    if all(issubclass(kind, timedelta | np.timedelta64) for kind in kinds):
        return "durations"
    return "numbers" if all(issubclass(k, SCALARS) and not issubclass(k, bool | np.bool_) for k in kinds) else "texts"


def as_durations(series: pd.Series) -> pd.Series:
    """Durations of any dtype as pandas' own."""
    if isinstance(series.dtype, pd.CategoricalDtype | pd.ArrowDtype):
        series = series.astype(object)
    return pd.to_timedelta(series)


def verdict_word(value: Any) -> Any:
    """A verdict written as text in one form ("Pass " and "pass" are the same); other values as they are."""
    return value.strip().lower() if isinstance(value, str) else value


def outcome_values(series: pd.Series, name: str) -> Floats:
    """Numbers and verdicts (1 passed, 0 failed) of an outcome column, NaN where there is none.

    Raises
    ------
    DataError
        A value that is neither a number nor a verdict.
    """
    if types.is_complex_dtype(series.dtype):
        raise DataError(f"Outcome {name!r} holds complex numbers; real numbers are needed.")
    held = contents(series)
    if held == "durations":
        return np.asarray(as_durations(series).dt.total_seconds(), np.float64)
    if held != "texts":
        return Numbers(series, "outcomes").all()
    values = np.full(len(series), np.nan)
    known = series.notna().to_numpy()
    for i, value in zip(np.flatnonzero(known), series[known].to_numpy(dtype=object), strict=True):
        if isinstance(value, SCALARS):
            values[i] = float(plain_number(value))
        elif isinstance(value, str) and verdict_word(value) in VERDICTS:
            values[i] = VERDICTS[verdict_word(value)]
        else:
            raise DataError(
                f"Outcome {name!r} holds {value!r}, which is neither a number nor a verdict (pass/fail, true/false, yes/no). "
                f"Map it first, for instance df[{name!r}] == {value!r}."
            )
    return values


def distinct(series: pd.Series) -> Any:
    """Values that occur, without missing ones; whole numbers of a small range are counted instead of hashed."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iu" and len(series):
        values = series.to_numpy()
        low, high = int(values.min()), int(values.max())
        if high - low < 2:
            return np.unique([low, high])
        if high - low < 1 << 16:
            present = np.zeros(high - low + 1, bool)
            for start in range(0, len(values), BLOCK):
                present[values[start : start + BLOCK].astype(np.int64) - low] = True
            return np.flatnonzero(present) + low
    found = pd.unique(series.dropna())
    narrow = float_dtype(series.dtype)
    return found if narrow.itemsize >= 8 else as_printed(np.asarray(found, narrow))
