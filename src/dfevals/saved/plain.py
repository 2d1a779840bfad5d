"""Values of Python as JSON and back, without loss: what labels, parameters, edges and names may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from dfevals.exceptions import DataError

__all__ = ["from_json", "to_json"]

#: Kinds that JSON lacks, by the key that marks them: what makes the text and what reads it.
WRITTEN: dict[str, tuple[type, Any, Any]] = {
    "$timestamp": (pd.Timestamp, pd.Timestamp.isoformat, pd.Timestamp),
    "$timedelta": (pd.Timedelta, pd.Timedelta.isoformat, pd.Timedelta),
    "$datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "$date": (date, date.isoformat, date.fromisoformat),
    "$time": (time, time.isoformat, time.fromisoformat),
    "$decimal": (Decimal, str, Decimal),
}


def to_json(value: Any) -> Any:
    """The value as JSON can hold it.

    Raises
    ------
    DataError
        A value of another kind.

    Examples
    --------
    >>> to_json(("a", 1.5, float("inf")))
    {'$tuple': ['a', 1.5, {'$float': 'inf'}]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, tuple):
        return {"$tuple": [to_json(item) for item in value]}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {"$dict": [[to_json(key), to_json(item)] for key, item in value.items()]}
    for key, (kind, write, _) in WRITTEN.items():
        if isinstance(value, kind):
            return {key: write(value)}
    raise DataError(f"{value!r:.80} ({type(value).__name__}) has no place in a file of a tally. Use text or numbers.")


def from_json(value: Any) -> Any:
    """Inverse of `to_json`.

    Examples
    --------
    >>> from_json(to_json({"edges": (1, float("nan"))}))
    {'edges': (1, nan)}
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    [(key, item)] = value.items()
    if key == "$float" and item in ("nan", "inf", "-inf"):
        return float(item)
    if key == "$tuple" and isinstance(item, list):
        return tuple(from_json(part) for part in item)
    if key == "$dict" and isinstance(item, list):
        return {from_json(name): from_json(part) for name, part in item}
    return WRITTEN[key][2](item)
