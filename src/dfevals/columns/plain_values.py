"""Columns made of Python's values without loss: whole numbers stay exact, text stays text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

from dfevals.words import whole_characters

__all__ = ["EXACT", "column_of", "frame_of_columns", "frame_of_records", "whole_numbers"]

EXACT = 1 << 53  # whole numbers up to here are exact in float64


def frame_of_records(records: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    """One row per record; what a record lacks is missing, and columns stand in the order of their first appearance."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    return frame_of_columns(columns, len(records))


def frame_of_columns(columns: Mapping[Any, Sequence[Any]], n_rows: int) -> pd.DataFrame:
    """A frame of columns of Python's values."""
    return pd.DataFrame({name: column_of(values) for name, values in columns.items()}, index=pd.RangeIndex(n_rows))


def column_of(values: Sequence[Any]) -> pd.Series:
    """A column of Python's values; None is missing.

    Examples
    --------
    >>> column_of([2**53 + 1, None]).dtype, column_of([1, None]).dtype, column_of([1, 2]).dtype
    (Int64Dtype(), dtype('float64'), dtype('int64'))
    """
    kinds = {type(value) for value in values} - {NoneType}
    if kinds == {int}:
        return whole_numbers(values)
    if kinds == {int, float} and any(type(v) is int and abs(v) > EXACT for v in values):
        return pd.Series(values, dtype=object)
    if kinds == {str}:
        values = _encodable(values)
    return pd.Series(values, dtype=None if kinds else object)


def whole_numbers(values: Sequence[int | None]) -> pd.Series:
    """Integers of 64 bits: nullable ones where float64 could not hold them beside missing values; longer ones as objects."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0), max(known, default=0)
    if low < -(1 << 63) or high >= (1 << 64 if low >= 0 else 1 << 63):
        return pd.Series(values, dtype=object)
    signed = high < 1 << 63
    if len(known) == len(values):
        return pd.Series(np.array(values, np.int64 if signed else np.uint64))
    if max(-low, high) <= EXACT:
        return pd.Series(np.array([np.nan if value is None else value for value in values], np.float64))
    return pd.Series(pd.array(values, dtype="Int64" if signed else "UInt64"))


def _encodable(texts: Sequence[str | None]) -> Sequence[str | None]:
    """Texts in which halves of characters (lone surrogates, which no file can hold) are U+FFFD."""
    try:
        "".join(filter(None, texts)).encode()
    except UnicodeEncodeError:
        return [None if text is None else whole_characters(text) for text in texts]
    return texts
