"""Values written so exactly that equal texts mean equal values: the ground of cache keys and of grouping equal rows."""

from __future__ import annotations

import datetime
import decimal
import fractions
import pathlib
import re
import uuid
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["exactly"]


class _Unwritable(Exception):
    """A value whose text would leave something of it out."""


def exactly(value: object) -> str | None:
    """Text of a value that tells its type and all that it holds, in any order of its keys; None where none can.

    Functions, frames and objects of unknown classes have no such text: their own is shortened, or names an address.

    Examples
    --------
    >>> exactly({1: "a"}) == exactly({"1": "a"})
    False
    >>> exactly({"a": 1, "b": [2.5, None]}) == exactly({"b": [2.5, None], "a": 1})
    True
    >>> exactly(pd.DataFrame({"a": [1]})) is None
    True
    """
    try:
        return _written(value)
    except (_Unwritable, RecursionError):
        return None


def _written(value: Any) -> str:
    kind = type(value)
    write = _WRITERS.get(kind)
    if write is not None:
        return f"{kind.__name__}({write(value)})"
    named = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return f"{named}({value.dtype.str},{value.tobytes().hex()})"
    if isinstance(value, Enum):
        return f"{named}({value.name},{_written(value.value)})"
    if isinstance(value, pathlib.PurePath | datetime.tzinfo) and kind.__module__.split(".")[0] in _STANDARD:
        return f"{named}({_text(str(value))})"
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return f"{named}({_items(value)})"
    if is_dataclass(value) and set(getattr(value, "__dict__", ())) <= {field.name for field in fields(value)}:
        return f"{named}({_items(getattr(value, field.name, None) for field in fields(value))})"
    if hasattr(kind, "__pydantic_fields__"):
        held = [getattr(value, name, None) for name in ("__dict__", "__pydantic_extra__", "__pydantic_private__")]
        return f"{named}({_items(held)})"
    raise _Unwritable(named)


def _text(value: str) -> str:
    return f"{len(value)}:{value}"


def _items(values: Iterable[Any]) -> str:
    return ",".join(map(_written, values))


def _pairs(value: Any) -> str:
    return ",".join(sorted(f"{_written(key)}={_written(item)}" for key, item in value.items()))


def _unordered(value: Any) -> str:
    return ",".join(sorted(map(_written, value)))


def _array(value: Any) -> str:
    dtype = value.dtype
    held = _items(value.ravel().tolist()) if dtype.kind == "O" else value.tobytes().hex()
    if dtype.hasobject and dtype.kind != "O":
        raise _Unwritable("an array of records with objects")
    return f"{dtype.descr if dtype.names else dtype.str},{value.shape},{held}"


def _time(value: Any) -> str:
    zone = "" if value.tzinfo is None else _written(value.tzinfo)
    return f"{value.isoformat()},{value.fold},{getattr(value, 'unit', '')},{zone}"


_STANDARD = {"pathlib", "datetime", "zoneinfo", "pytz", "dateutil"}
_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _text,
    bool: str,
    int: hex,
    float: float.hex,
    type(None): str,
    complex: repr,
    bytes: bytes.hex,
    bytearray: bytearray.hex,
    list: _items,
    tuple: _items,
    **dict.fromkeys((dict, OrderedDict, defaultdict, Counter), _pairs),
    set: _unordered,
    frozenset: _unordered,
    np.ndarray: _array,
    pd.Timestamp: _time,
    datetime.datetime: _time,
    datetime.time: _time,
    datetime.date: str,
    datetime.timedelta: repr,
    pd.Timedelta: lambda value: f"{value.value},{value.unit}",
    pd.Period: lambda value: f"{value.ordinal},{value.freqstr}",
    pd.Interval: lambda value: f"{_written(value.left)},{_written(value.right)},{value.closed}",
    type(pd.NaT): str,
    type(pd.NA): str,
    decimal.Decimal: str,
    fractions.Fraction: str,
    uuid.UUID: str,
    range: repr,
    re.Pattern: lambda value: f"{value.flags},{_written(value.pattern)}",
}
