"""Columns as numbers: read a block at a time, with what is not a number said by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.exceptions import DataError

__all__ = ["BLOCK", "VERDICTS", "Numbers", "distinct", "outcome_values", "verdict_word"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
BLOCK = 1 << 18  # rows read at a time
VERDICTS = {"pass": 1.0, "passed": 1.0, "true": 1.0, "yes": 1.0, "fail": 0.0, "failed": 0.0, "false": 0.0, "no": 0.0}


class Numbers:
    """A column as float64, converted a block at a time (floats are not copied)."""

    def __init__(self, series: pd.Series, role: str) -> None:
        self._role, self._name = role, series.name
        self._plain = series.to_numpy() if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub" else None
        self._series = series
        if types.is_complex_dtype(series.dtype):
            raise DataError(
                f"{role} column {series.name!r} holds complex numbers; real numbers are needed. "
                f"Take a part of them first: np.real(df[{series.name!r}])."
            )
        if self._plain is None and not types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype):
            self._plain = self._parsed(series)

    def _parsed(self, series: pd.Series) -> Floats:
        """Numbers in an object or text column, if all of them are numbers."""
        if not types.is_object_dtype(series.dtype):
            raise DataError(
                f"{self._role} column {self._name!r} has dtype {series.dtype}; numbers are needed. "
                f"Convert it first: df[{self._name!r}].astype(float)."
            )
        values = series.to_numpy(dtype=object)
        kinds = {type(value) for value in values}
        bad = [
            kind
            for kind in kinds
            if not issubclass(kind, int | float | np.number | np.bool_ | type(None) | type(pd.NA))
        ]
        if bad and not all(issubclass(kind, Decimal) for kind in bad):
            raise DataError(
                f"{self._role} column {self._name!r} holds {bad[0].__name__} values; numbers are needed. "
                f"Convert it first: pd.to_numeric(df[{self._name!r}])."
            )
        return np.array([np.nan if value is None or value is pd.NA else float(value) for value in values])

    def block(self, start: int, stop: int) -> Floats:
        """Rows start..stop as float64; NaN where missing."""
        if self._plain is not None:
            return self._plain[start:stop].astype(np.float64, copy=False)
        return self._series.iloc[start:stop].to_numpy(dtype=np.float64, na_value=np.nan)

    def all(self) -> Floats:
        """The whole column."""
        return self.block(0, len(self._series))


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
    if types.is_bool_dtype(series.dtype) or types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.full(len(series), np.nan)
    known = series.notna().to_numpy()
    for i, value in zip(np.flatnonzero(known), series[known].to_numpy(dtype=object), strict=True):
        if isinstance(value, bool | int | float | np.number | np.bool_):
            values[i] = float(value)
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
    return pd.unique(series.dropna())
